//! The plan with the real Codex CLI.
use super::stage::Folders;
use crate::{args::DemoArgs, error::Failure, show::Out};
use std::process::ExitCode;
pub(super) async fn play(_: &DemoArgs, _: &Folders, _: Out) -> Result<ExitCode, Failure> {
    Err(Failure::new("later"))
}
