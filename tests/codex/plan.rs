//! The validation plan with real turns: the whole job, in one conversation.

use std::time::Duration;

use baton_core::{Cause, Eligibility, Strategy};

use crate::stage::{BOTH, Stage, answer_to, two};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn drain_a_then_b_then_a_again_and_lose_nothing() {
    for on in BOTH {
        // Four requests each in five hours: three turns, one of which asks twice.
        let mut stage = Stage::with(on, two(4.0, 4.0)).await;
        let mut work = Conversation::default();

        // 1. Sequential is what a new Baton does.
        assert_eq!(stage.baton.snapshot().strategy, Strategy::Sequential);

        // 2. and 3. All work is on A at first, and B is left alone.
        for _ in 0..3 {
            work.turn(&stage).await;
        }
        assert_eq!(stage.both_served(), (4, 0), "{on:?}");
        assert_eq!(
            stage.sim.log().requests("b").len(),
            0,
            "{on:?}: B isn't even asked"
        );

        // 4. A is spent: the next turn is B's. A's five hours have run for four then.
        stage.sim.clock().advance(4 * HOUR);
        for _ in 0..3 {
            work.turn(&stage).await;
        }
        assert_eq!(stage.both_served(), (4, 4), "{on:?}");
        assert!(
            matches!(stage.state("a"), Eligibility::Exhausted { .. }),
            "{on:?}: {:?}",
            stage.state("a")
        );

        // 5. A's window is over, and B is spent: A is used again.
        stage.sim.clock().advance(HOUR + Duration::from_secs(60));
        for _ in 0..3 {
            work.turn(&stage).await;
        }
        assert_eq!(stage.both_served(), (8, 4), "{on:?}");
        let switches = [
            ("a", Cause::FirstUse),
            ("b", Cause::LimitReached),
            ("a", Cause::LimitReached),
        ];
        assert_eq!(
            stage.switches(),
            switches.map(|(to, cause)| (to.to_owned(), cause)),
            "{on:?}"
        );

        // 6. Nothing lost, nothing repeated.
        work.is_whole(&stage);
        stage.all_in_order();
    }
}

/// One conversation over many processes, each a turn.
#[derive(Default)]
pub(crate) struct Conversation {
    session: Option<String>,
    prompts: Vec<String>,
    tools: usize,
}

impl Conversation {
    /// Every third turn runs a command.
    pub(crate) async fn turn(&mut self, stage: &Stage) {
        let prompt = format!("turn {}", self.prompts.len() + 1);
        let said = match self.prompts.len() % 3 {
            1 => {
                self.tools += 1;
                format!("{prompt} [tool: echo was here | tee -a traces]")
            }
            _ => prompt.clone(),
        };
        let run = match &self.session {
            None => stage.codex(&said).await,
            Some(session) => stage.codex.resume(session, &said).await,
        };
        run.answered(&answer_to(&prompt));
        let session = self.session.get_or_insert_with(|| run.session.clone());
        assert_eq!(*session, run.session, "the same session goes on");
        self.prompts.push(prompt);
    }

    /// The model's last view of it: every prompt and every answer but the last, once and in order.
    pub(crate) fn is_whole(&self, stage: &Stage) {
        let last = stage
            .sim
            .log()
            .entries()
            .into_iter()
            .rfind(baton_sim::Entry::generates)
            .expect("a request");
        let input = last.json()["input"].clone();
        let items = input.as_array().expect("the whole conversation");
        let texts = |role: &str| -> Vec<String> {
            let of_role = items.iter().filter(|item| item["role"] == role);
            of_role
                .filter_map(|item| item["content"][0]["text"].as_str())
                .map(str::to_owned)
                .collect()
        };
        let prompts: Vec<String> = texts("user")
            .iter()
            .filter(|text| text.starts_with("turn "))
            .map(|text| text.split(" [").next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(prompts, self.prompts);
        let answers: Vec<String> = self.prompts.iter().map(|prompt| answer_to(prompt)).collect();
        assert_eq!(texts("assistant"), answers[..answers.len() - 1]);
        assert_eq!(stage.traces(), self.tools, "every command ran once");
    }
}
