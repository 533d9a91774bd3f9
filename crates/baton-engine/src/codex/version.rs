//! Which Codex is installed, and which one Baton is tested with.

use super::health::check;
use crate::doctor::{Check, CheckId, Outcome};

/// The end-to-end tests drive just this one (`tests/codex/package.json`).
pub const TESTED: &str = "0.169.0";

/// `said`: what `codex --version` prints; `None` where there is no Codex, or none that answers.
pub fn installed(said: Option<&str>) -> Check {
    let id = CheckId::CodexVersion;
    let Some(said) = said else {
        return check(
            id,
            Outcome::Note,
            "There is no `codex` in this shell's PATH, or it doesn't answer.",
        )
        .to_do("To install it: `npm install -g @openai/codex`.");
    };
    let Some(version) = said.split_whitespace().find(|word| numbers(word).is_some()) else {
        return check(id, Outcome::NotChecked, "`codex --version` names no version.");
    };
    let (found, tested) = (numbers(version), numbers(TESTED));
    if found == tested {
        return check(
            id,
            Outcome::Fine,
            format!("Codex {version}, which Baton is tested with."),
        );
    }
    let (which, what) = if found < tested {
        ("older", "update Codex (`npm install -g @openai/codex`)")
    } else {
        ("newer", "look for a newer Baton")
    };
    let said = format!("Codex {version} is {which} than {TESTED}, which Baton is tested with.");
    check(id, Outcome::Note, said).to_do(format!("Should anything be odd, {what}."))
}

/// What orders versions; what follows a `-` comes before the same without, which matters to nobody here.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let plain = version.split(['-', '+']).next()?;
    let mut parts = plain.split('.').map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_version_is_compared_by_its_numbers() {
        for (said, outcome, with) in [
            (
                Some(format!("codex-cli {TESTED}\n")),
                Outcome::Fine,
                "tested with",
            ),
            (Some("codex-cli 0.99.3".to_owned()), Outcome::Note, "older"),
            (
                Some("codex-cli 0.1000.0-alpha.1".to_owned()),
                Outcome::Note,
                "newer",
            ),
            (Some("a codex".to_owned()), Outcome::NotChecked, "no version"),
            (None, Outcome::Note, "no `codex`"),
        ] {
            let check = installed(said.as_deref());
            assert!(
                check.outcome == outcome && check.said.contains(with),
                "{said:?}: {check:?}"
            );
        }
    }
}
