//! stub
use crate::{args::DemoArgs, error::Failure, show::Out};
use std::{path::Path, process::ExitCode};
pub(crate) async fn run(
    _d: Option<&Path>,
    _a: DemoArgs,
    _l: Option<&str>,
    _o: Out,
) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
