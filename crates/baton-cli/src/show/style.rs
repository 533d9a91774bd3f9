//! Colours: on a terminal only, and never against `NO_COLOR`.

use std::{env, io::IsTerminal};

use baton_core::Eligibility;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tint {
    Plain,
    Strong,
    Faint,
    Good,
    Waiting,
    Bad,
    /// The first account of the demo, and the second.
    First,
    Second,
}

impl Tint {
    pub(crate) fn of(state: &Eligibility) -> Self {
        match state {
            Eligibility::Eligible => Self::Good,
            Eligibility::HeldBack { .. }
            | Eligibility::CoolingDown { .. }
            | Eligibility::Exhausted { .. } => Self::Waiting,
            Eligibility::NeedsAttention { .. } => Self::Bad,
            Eligibility::Skipped => Self::Faint,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Waiting => "33",
            Self::Bad => "31",
            Self::First => "36",
            Self::Second => "35",
        }
    }
}

impl Style {
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: stream.is_terminal() && !unwanted,
        }
    }

    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { colour: false }
    }

    pub(crate) fn coloured(self) -> bool {
        self.colour
    }

    pub(crate) fn paint(self, tint: Tint, text: &str) -> String {
        if self.colour && tint != Tint::Plain && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", tint.code())
        } else {
            text.to_owned()
        }
    }
}
