//! A person who keeps changing their mind, and mends what needs attention.

use std::sync::atomic::Ordering;

use baton_core::{Eligibility, OnRecovery, Percent, Strategy};
use baton_engine::control::protocol::Command;
use tokio::sync::mpsc;

use crate::{ACCOUNTS, left::Memory, stage::Stage, tally::Tally};

/// The person does something after this many turns.
const TURNS_A_COMMAND: u64 = 15;

/// Changes something every few turns, and mends what needs attention. Keeps an eye on the memory, too.
pub(crate) async fn person(
    stage: &Stage,
    mut ended: mpsc::UnboundedReceiver<()>,
    tally: &Tally,
    wanted: u64,
    seed: u64,
) -> Memory {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut memory = Memory::new(wanted);
    let mut turns = 0;
    loop {
        // The last turn may end without having been told: nobody is left to tell it.
        let requests = tally.requests.load(Ordering::Relaxed);
        memory.look(requests);
        if requests >= wanted || ended.recv().await.is_none() {
            return memory;
        }
        turns += 1;
        if turns % 500 == 0 {
            stage.sim.log().forget_ended();
        }
        if turns % TURNS_A_COMMAND == 0 {
            mend(stage).await;
            change(stage, &mut random).await;
            tally.commands.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn change(stage: &Stage, random: &mut fastrand::Rng) {
    let account = random.choice(ACCOUNTS).expect("five").to_owned();
    let strategies = [
        Strategy::Sequential,
        Strategy::Balanced,
        Strategy::Affinity,
        Strategy::RoundRobin,
        Strategy::SoonestReset,
    ];
    let command = match random.u8(0..12) {
        0..=2 => Command::Use {
            strategy: random.choice(strategies).expect("five"),
        },
        3 => Command::Move {
            account,
            position: random.usize(1..=ACCOUNTS.len()),
        },
        // One of five at most.
        4 | 5 => {
            for other in ACCOUNTS {
                let skipped = *other == account;
                let account = other.to_owned();
                stage.run(Command::Skip { account, skipped }).await;
            }
            return;
        }
        6 => Command::Skip {
            account,
            skipped: false,
        },
        7 => Command::SetOnRecovery {
            on_recovery: if random.bool() {
                OnRecovery::Stay
            } else {
                OnRecovery::Return
            },
        },
        8 => Command::SetWaitForRecovery {
            seconds: if random.bool() { 6 * 3600 } else { 0 },
        },
        9 => Command::Threshold {
            account: Some(account),
            window: None,
            at: Percent::new(if random.bool() { 80.0 } else { 100.0 }).expect("a percent"),
            reserve: None,
        },
        10 => return renew(stage, &account).await,
        _ => {
            // One that can't serve is refused, and nothing changes.
            let _ = stage.baton.execute(Command::Switch { account }).await;
            return;
        }
    };
    stage.run(command).await;
}

/// Signs in again where Baton asks for it, and lets go of the brake.
async fn mend(stage: &Stage) {
    let snapshot = stage.baton.snapshot();
    for account in &snapshot.accounts {
        if matches!(account.state, Eligibility::NeedsAttention { .. }) {
            renew(stage, &account.label).await;
        }
    }
    if snapshot.braked {
        let strategy = snapshot.strategy;
        stage.run(Command::Use { strategy }).await;
    }
}

/// Removed, whatever runs on it, and added again.
async fn renew(stage: &Stage, label: &str) {
    let account = label.to_owned();
    stage.run(Command::Remove { account }).await;
    let sign_in = stage.sim.account(label).sign_in();
    stage
        .baton
        .add_auth_json(sign_in.as_bytes(), label)
        .await
        .expect("an account");
}
