//! What `baton doctor` has found: a line each, grouped by what it is about, what to do beneath, and a summary.

use std::fmt::Write as _;

use baton_engine::doctor::{Check, Outcome, Subject};

use super::style::{Style, Tint};

pub(crate) fn doctor(checks: &[Check], style: Style) -> String {
    let mut out = String::new();
    let mut subject = None;
    for check in checks {
        if subject != Some(&check.subject) {
            let gap = if subject.is_some() { "\n" } else { "" };
            let title = style.paint(Tint::Strong, title(&check.subject));
            // Writing to a String can't fail.
            let _ = writeln!(out, "{gap}{title}");
            subject = Some(&check.subject);
        }
        let (mark, tint) = match check.outcome {
            Outcome::Fine => ("✓", Tint::Good),
            Outcome::Note => ("·", Tint::Waiting),
            Outcome::Problem => ("!", Tint::Bad),
            Outcome::NotChecked => ("?", Tint::Faint),
        };
        let _ = writeln!(out, "  {} {}", style.paint(tint, mark), check.said);
        if let Some(to_do) = &check.to_do {
            let _ = writeln!(out, "    → {to_do}");
        }
    }
    let _ = writeln!(out, "\n{}", summary(checks));
    out
}

fn title(subject: &Subject) -> &str {
    match subject {
        Subject::Machine => "Baton",
        Subject::Account(label) => label,
        Subject::Codex => "Codex",
    }
}

fn summary(checks: &[Check]) -> String {
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let problems = match count(Outcome::Problem) {
        0 => "No problems".to_owned(),
        1 => "1 problem (!)".to_owned(),
        many => format!("{many} problems (!)"),
    };
    let rest = [
        (count(Outcome::Note), "worth knowing (·)"),
        (count(Outcome::NotChecked), "not checked (?)"),
        (count(Outcome::Fine), "fine (✓)"),
    ];
    let rest = rest.into_iter().filter(|(many, _)| *many > 0);
    rest.fold(problems, |said, (many, what)| format!("{said}, {many} {what}")) + "."
}

#[cfg(test)]
mod tests {
    use baton_engine::doctor::CheckId;

    use super::*;

    #[test]
    fn findings_are_grouped_with_what_to_do_beneath_and_counted() {
        let work = || Subject::Account("Work".to_owned());
        let check = |id, subject, outcome, said| Check::new(id, subject, outcome, said);
        let checks = [
            check(CheckId::Baton, Subject::Machine, Outcome::Fine, "It runs."),
            check(CheckId::Clock, Subject::Machine, Outcome::NotChecked, "Unknown."),
            check(CheckId::State, work(), Outcome::Problem, "Needs you.").to_do("Sign in."),
            check(CheckId::Plan, work(), Outcome::Fine, "Plan: plus."),
        ];
        assert_eq!(
            doctor(&checks, Style::plain()),
            "Baton\n  ✓ It runs.\n  ? Unknown.\n\nWork\n  ! Needs you.\n    → Sign in.\n  ✓ Plan: plus.\n\n\
             1 problem (!), 1 not checked (?), 2 fine (✓).\n"
        );
    }
}
