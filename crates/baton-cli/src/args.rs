//! The command line.

use std::{path::PathBuf, time::Duration};

use baton_core::{OnRecovery, Percent, Strategy, Timestamp, WindowLength};
use baton_engine::{
    codex,
    control::protocol::{About, LogKind},
};
use clap::{ArgAction, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};

use crate::parse;

/// Uses your own Codex accounts one after the other.
#[derive(Debug, Parser)]
#[command(name = "baton", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Where Baton keeps its settings and records, and finds a running Baton [env: BATON_DATA_DIR]
    // Not read from the environment by clap: the demo must tell a named directory from the person's usual one.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Print JSON
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,

    /// What to log to stderr, e.g. `info` or `baton_engine=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "BATON_LOG",
        hide_env_values = true
    )]
    pub(crate) log: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// What can be told wrong only once everything is parsed.
    pub(crate) fn checked(self) -> Result<Self, clap::Error> {
        match &self.command {
            Command::Threshold(threshold) => match threshold.account_and_percent() {
                Ok(_) => Ok(self),
                Err(why) => Err(Self::command().error(ErrorKind::ValueValidation, why)),
            },
            _ => Ok(self),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run Baton in this terminal; Ctrl-C ends it
    Serve(ServeArgs),
    /// What is left of each account, who is active, and who is next
    Status,
    /// Make an account the active one now; the strategy stays
    Switch { account: String },
    /// Use only this account: no failover
    Pin { account: String },
    /// Let the strategy choose again
    Unpin,
    /// Choose the strategy, from the next request on
    Use(UseArgs),
    /// Why the next request goes where it goes, or a past one went where it went
    Why {
        /// The request's number, as `baton log` shows it
        request: Option<u64>,
    },
    /// How long it goes on without interruption, and which account ends when
    Forecast,
    /// What was used of each account, and what is expected
    Timeline(TimelineArgs),
    /// What every strategy would have made of your own past requests
    Replay {
        /// So many days of the past; 90 at most [default: 90]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=90))]
        days: Option<u32>,
    },
    /// What happened, newest last
    Log(LogArgs),
    /// Write everything that is stored of the past into a file, .csv or .json
    Export {
        /// A file that isn't there yet
        file: PathBuf,
    },
    /// Delete what is stored of the past; accounts and settings stay
    DeleteHistory {
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Let Codex's requests pass with its own sign-in, as if Baton weren't there
    Bypass { bypass: Switch },
    /// What is told by a notification; with a name, whether it is
    Notifications {
        /// switched, temporary_failover, recovered, low, all_exhausted, needs_attention, codex_disconnected or pin_stopped
        #[arg(requires = "tell", value_parser = parse::about)]
        about: Option<About>,
        tell: Option<Switch>,
    },
    /// Add, list, order and remove accounts
    #[command(subcommand)]
    Accounts(AccountsCommand),
    /// Hold an account back when so much of it is used
    Threshold(ThresholdArgs),
    /// Let Codex go through Baton: sets the base URLs in its config.toml
    Connect(ConnectArgs),
    /// Let Codex go its own way again: its config.toml is what it was
    Disconnect(HomeArgs),
    /// How everything is, each with what to do; exit status 1 if there is a problem. It spends no quota
    Doctor {
        /// Only this account
        account: Option<String>,
    },
    /// End the running Baton; requests under way end first
    Stop,
    /// Disconnects Codex should the Baton die that started it
    #[command(hide = true)]
    Guard,
    /// Tries the installed Codex CLI through Baton, on a simulated service
    #[command(hide = true)]
    SelfTest {
        /// Just this one
        #[arg(long, value_enum)]
        mode: Option<Mode>,
    },
    /// Watch the main job on simulated accounts: no account, network or keychain needed
    Demo(DemoArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TimelineArgs {
    /// So many days back and ahead
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub(crate) days: u32,
    /// Draw it into a file that isn't there yet
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// How many lines at most; 2000 and less. `baton export` writes them all
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) limit: u16,
    /// Only what concerns this account
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Only lines of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<Kind>,
    /// Only what happened since: a time ago such as 2h or 3d, or a day such as 2026-11-20
    #[arg(long, value_name = "TIME", value_parser = parse::since)]
    pub(crate) since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Changes of the active account, and temporary failovers
    Switches,
    /// One line a request
    Requests,
    /// Everything that happened to the accounts
    Events,
    /// When nobody could serve
    Blocked,
    /// What was read of each account's usage
    Readings,
}

impl From<Kind> for LogKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Switches => Self::Switches,
            Kind::Requests => Self::Requests,
            Kind::Events => Self::Events,
            Kind::Blocked => Self::Blocked,
            Kind::Readings => Self::Readings,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The port to listen on, on 127.0.0.1 and ::1; 0 takes a free one
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    /// What of Codex goes through Baton [default: everything, else the model requests alone, as the self-test shows]
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<Mode>,
    /// The Codex CLI that is tried first, instead of `codex` on the PATH
    #[arg(long, value_name = "PROGRAM", conflicts_with = "no_self_test")]
    pub(crate) codex: Option<PathBuf>,
    /// Connect without trying whether the installed Codex CLI works through Baton
    #[arg(long)]
    pub(crate) no_self_test: bool,
    /// Only give what is connected a new secret in its URLs; the old one is no longer answered
    #[arg(long, conflicts_with_all = ["mode", "codex", "no_self_test", "homes", "dry_run"])]
    pub(crate) renew: bool,
    /// Also where another Baton is connected, which then isn't any more
    #[arg(long, conflicts_with = "renew")]
    pub(crate) take_over: bool,
    #[command(flatten)]
    pub(crate) homes: HomeArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HomeArgs {
    /// Codex's folder, instead of $CODEX_HOME or ~/.codex; may be given several times
    #[arg(long = "home", value_name = "DIR")]
    pub(crate) homes: Vec<PathBuf>,
    /// Change nothing, only show the difference
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Mode {
    /// Everything, so that Codex shows the limits of all accounts
    Default,
    /// Model requests only
    Requests,
    /// Model requests, by a provider of its own: sessions have a history of their own
    Provider,
}

impl From<Mode> for codex::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Default => Self::Default,
            Mode::Requests => Self::Requests,
            Mode::Provider => Self::Provider,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct UseArgs {
    /// sequential (drain first), balanced, affinity, round_robin or soonest_reset
    #[arg(value_parser = parse::strategy, required_unless_present_any = ["on_recovery", "wait"])]
    pub(crate) strategy: Option<Strategy>,
    /// When an earlier account recovers: stay with the active one, or return
    #[arg(long, value_name = "WHAT")]
    pub(crate) on_recovery: Option<Recovery>,
    /// How long Codex may be kept waiting when all are exhausted, e.g. 1m; 6h at most
    #[arg(long, value_name = "TIME", value_parser = parse::wait)]
    pub(crate) wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Recovery {
    /// The active account stays so until it is exhausted
    Stay,
    /// The earliest eligible account of the order becomes active again
    Return,
}

impl From<Recovery> for OnRecovery {
    fn from(recovery: Recovery) -> Self {
        match recovery {
            Recovery::Stay => Self::Stay,
            Recovery::Return => Self::Return,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// Sign in to an account, or to one that is there again
    Add(AddArgs),
    /// The accounts in their order
    List,
    /// Remove an account, and its sign-in from the keychain
    Remove { account: String },
    /// Call an account something else
    Rename { account: String, label: String },
    /// Move an account in the order; 1 is the primary
    Move { account: String, position: usize },
    /// Leave an account out until `unskip`
    Skip { account: String },
    /// Use a skipped account again
    Unskip { account: String },
    /// Whether an account's purchased credits may be spent, after all included quota
    Credits { account: String, credits: Switch },
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// What to call the account; asked for if it isn't given
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
    /// Print the link, for a private window or a browser elsewhere
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Sign in on another device, with a code
    #[arg(long, conflicts_with = "no_browser")]
    pub(crate) device: bool,
    /// Move the sign-in that `codex login` wrote into the keychain instead
    #[arg(long, value_name = "AUTH.JSON", conflicts_with_all = ["no_browser", "device"])]
    pub(crate) from: Option<PathBuf>,
    /// Follow the auth.json of a Codex that goes on using it, or the one in this folder: it is read, never changed
    #[arg(long, value_name = "PATH", conflicts_with_all = ["no_browser", "device", "from"])]
    pub(crate) link: Option<PathBuf>,
    /// Don't ask whether to move it
    #[arg(long, requires = "from", conflicts_with = "link")]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "baton threshold [ACCOUNT] <PERCENT> [OPTIONS]")]
pub(crate) struct ThresholdArgs {
    /// The percent *used* at which an account is held back (100 is off); the account before it, or all if none is named
    #[arg(value_name = "PERCENT", num_args = 1..=2, required = true)]
    pub(crate) what: Vec<String>,
    /// Only for this window: 5h, week, or minutes such as 300m
    #[arg(long, value_name = "WINDOW", value_parser = parse::window)]
    pub(crate) window: Option<WindowLength>,
    /// Keep the rest even when nobody else can serve
    #[arg(long, conflicts_with = "no_reserve")]
    pub(crate) reserve: bool,
    /// Let the rest serve when nobody else can
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) no_reserve: bool,
}

impl ThresholdArgs {
    /// The account, if one is named, and the percent.
    pub(crate) fn account_and_percent(&self) -> Result<(Option<&str>, Percent), String> {
        let (account, percent) = match self.what.as_slice() {
            [percent] => (None, percent),
            [account, percent, ..] => (Some(account.as_str()), percent),
            [] => return Err("a percent is needed".to_owned()),
        };
        let at = parse::percent(percent).map_err(|why| format!("`{percent}` is no threshold: {why}"))?;
        Ok((account, at))
    }

    pub(crate) fn reserve(&self) -> Option<bool> {
        match (self.reserve, self.no_reserve) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Seeds the work
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Simulated seconds per second
    #[arg(long, value_name = "N", default_value = "2400", value_parser = parse::speed)]
    pub(crate) speed: f64,
    /// Write the timeline of both strategies to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Drive the installed Codex CLI instead of the built-in client
    #[arg(long)]
    pub(crate) codex: bool,
    /// The Codex CLI to drive
    #[arg(long, value_name = "PATH", default_value = "codex", requires = "codex")]
    pub(crate) codex_bin: PathBuf,
    /// Show the demo in the tray of this `baton-desktop` meanwhile
    #[arg(long, value_name = "PATH")]
    pub(crate) tray: Option<PathBuf>,
}
