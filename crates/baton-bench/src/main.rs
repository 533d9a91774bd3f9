//! What Baton costs: measured in one run beside no proxy at all, and beside bare ones (nginx for HTTP, a relay of bytes for
//! WebSocket). `make bench` runs it; it takes about four minutes and writes docs/performance.md's table.
//!
//! - [`upstream`]: a service that answers at once; [`proxies`]: what stands before it; each a process of its own
//!   ([`process`])
//! - [`load`]: clients over HTTP, [`socket`]: over WebSocket; [`wire`]: the bytes they all write
//! - [`codex`]: the real Codex CLI, where it is installed
//! - [`micro`]: the pure parts by themselves; [`forecast`]: how good forecasts are, and what one costs; [`ledger`]: a
//!   year of what happened; [`replay`]: a quarter of a year under each strategy
//! - [`desktop`]: the tray and the window, beside a bare tray
//! - [`run`]: the measurements; [`report`]: the table
//!
//! Only ratios within a run mean something: machines differ, and a shared one differs from minute to minute. So the ways
//! take turns in short rounds, and medians of the rounds count.

mod codex;
mod desktop;
mod forecast;
mod ledger;
mod load;
mod micro;
mod process;
mod proxies;
mod replay;
mod report;
mod run;
mod socket;
mod upstream;
mod wire;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, BoxError>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["upstream"] => single_threaded(async {
            tokio::select! {
                done = upstream::run() => done,
                () = process::orphaned() => Ok(()),
            }
        }),
        ["relay", upstream] => single_threaded(async {
            tokio::select! {
                done = proxies::run_relay(upstream.to_owned()) => done,
                () = process::orphaned() => Ok(()),
            }
        }),
        ["proxy", upstream, sign_ins] => proxy(upstream, sign_ins.as_ref()),
        [desktop::ROLE, file] => single_threaded(desktop::rounds::run(file.as_ref())),
        [] => measure(None),
        ["--write", page] => measure(Some(page.into())),
        ["--only", section] => single_threaded(async {
            println!("{}", run::only(section).await?);
            Ok(())
        }),
        _ => Err("usage: baton-bench [--write PAGE | --only SECTION]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baton-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// On the runtime that `baton serve` has.
fn proxy(upstream: &str, sign_ins: &Path) -> Result<()> {
    let runtime = baton_engine::runtime()?;
    let done = runtime.block_on(Box::pin(proxies::run_baton(upstream, sign_ins)));
    runtime.shutdown_background();
    done
}

fn single_threaded(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(Box::pin(work));
    // The thread that reads standard input ends with the process.
    runtime.shutdown_background();
    done
}

fn measure(page: Option<PathBuf>) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err("memory and processor time are read from Linux's /proc".into());
    }
    single_threaded(async move {
        let table = Box::pin(run::all()).await?;
        println!("{table}");
        match page {
            Some(page) => report::write(&page, &table),
            None => Ok(()),
        }
    })
}
