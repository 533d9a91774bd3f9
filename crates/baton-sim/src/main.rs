//! The simulated backend as a program: it starts a scenario from flags and runs until Ctrl-C.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use baton_sim::{
    AccountScript, At, Entry, Failure, Fault, FaultRule, LimitForm, Log, Outcome, Output, Scenario, Sim,
    Transport, WindowScript,
};
use clap::{Parser, ValueEnum};

/// A Codex backend on loopback, with scripted accounts.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// How many accounts: acct-a, acct-b, …
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=26))]
    accounts: u8,
    /// Requests that fit into the five-hour window of each account; 0 for no such window.
    #[arg(long, default_value_t = 20.0)]
    five_hours: f64,
    /// Requests that fit into the weekly window of each account; 0 for no such window.
    #[arg(long, default_value_t = 200.0)]
    weekly: f64,
    /// Simulated seconds per real second.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// The seed of ids.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The http port; 0 for any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How a spent account refuses.
    #[arg(long, value_enum, default_value_t = Limit::Head)]
    limit: Limit,
    /// The text of answers; {user}, {n}, {id}, {account} and {model} are filled in.
    #[arg(long)]
    answer: Option<String>,
    /// The backend origin of accounts/check; a CLI without a proxy between needs https://chatgpt.com.
    #[arg(long, default_value = "NO_CONSTRAINT")]
    backend_origin: String,
    /// Refuse WebSockets with 426, so that clients use HTTP.
    #[arg(long)]
    http_only: bool,
    /// Also serve https and wss; the authority's certificate is written to ca.pem in --auth-dir.
    #[arg(long, requires = "auth_dir")]
    https: bool,
    /// Write the auth.json of each account to FOLDER/<account>/auth.json; that of the CLI is acct-cli's.
    #[arg(long, value_name = "FOLDER")]
    auth_dir: Option<PathBuf>,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Limit {
    /// 429, or an error frame.
    Head,
    /// 429 on the upgrade of a WebSocket.
    Upgrade,
    /// response.failed in the stream.
    Failed,
    /// An error event in the stream.
    ErrorEvent,
    /// response.failed after some output.
    AfterOutput,
}

impl From<Limit> for LimitForm {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Head => Self::Head,
            Limit::Upgrade => Self::Upgrade,
            Limit::Failed => Self::Failed,
            Limit::ErrorEvent => Self::ErrorEvent,
            Limit::AfterOutput => Self::AfterOutput,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baton-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> std::io::Result<()> {
    let names: Vec<String> = (0..args.accounts)
        .map(|n| format!("acct-{}", char::from(b'a' + n)))
        .collect();
    let sim = Sim::try_start(scenario(&args, &names)).await?;
    if let Some(folder) = &args.auth_dir {
        for name in &names {
            write_auth(folder, name, &sim.account(name).auth_json())?;
        }
        write_auth(folder, "acct-cli", &sim.cli().auth_json())?;
        if let Some(pem) = sim.ca_pem() {
            std::fs::write(folder.join("ca.pem"), pem)?;
        }
    }
    let (base, issuer) = (sim.base_url(), sim.issuer_url());
    if args.json {
        let https = sim.https_base_url();
        println!(
            "{}",
            serde_json::json!({"base_url": base, "issuer_url": issuer, "https_base_url": https,
                "accounts": names})
        );
    } else {
        println!("base url    {base}");
        println!("issuer url  {issuer}");
        if let Some(https) = sim.https_base_url() {
            println!("https       {https}");
        }
    }
    let log = sim.log();
    tokio::select! {
        () = print_log(&log, args.json) => {}
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    sim.shutdown().await;
    Ok(())
}

fn scenario(args: &Args, names: &[String]) -> Scenario {
    let mut scenario = Scenario::new()
        .seed(args.seed)
        .speed(args.speed)
        .port(args.port)
        .cli_account(AccountScript::new("acct-cli").backend_origin(&args.backend_origin))
        .keep_bodies(false)
        .limit_on_http(args.limit.into())
        .limit_on_websocket(args.limit.into());
    if args.https {
        scenario = scenario.https();
    }
    if let Some(template) = &args.answer {
        scenario = scenario.output(Output::new().template(template));
    }
    if args.http_only {
        let refusal = Failure::new(426, "invalid_request_error", "upgrade_required", "Use HTTP");
        scenario = scenario.fault(FaultRule::new(At::Upgrade, Fault::Refuse(refusal)));
    }
    for name in names {
        let mut account = AccountScript::new(name).backend_origin(&args.backend_origin);
        if args.five_hours > 0.0 {
            account = account.window(WindowScript::five_hours(args.five_hours));
        }
        if args.weekly > 0.0 {
            account = account.window(WindowScript::weekly(args.weekly));
        }
        scenario = scenario.account(account);
    }
    scenario
}

fn write_auth(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("auth.json"), text)
}

/// Prints each request once it has ended, in the order of arrival.
async fn print_log(log: &Log, json: bool) {
    let mut printed = 0;
    loop {
        let mut ended = Vec::new();
        log.wait_for(|entries| {
            let next = entries.get(printed..).unwrap_or_default();
            ended = next
                .iter()
                .take_while(|entry| entry.outcome != Outcome::Running)
                .cloned()
                .collect();
            !ended.is_empty()
        })
        .await;
        printed += ended.len();
        for entry in &ended {
            if json {
                println!("{}", line(entry));
            } else {
                println!("{entry}");
            }
        }
    }
}

fn line(entry: &Entry) -> serde_json::Value {
    serde_json::json!({
        "id": entry.id,
        "at_millis": entry.at_millis,
        "ended_millis": entry.ended_millis,
        "account": entry.account,
        "websocket": entry.transport == Transport::WebSocket,
        "kind": format!("{:?}", entry.kind),
        "path": entry.path,
        "connection": entry.connection,
        "thread_id": entry.thread_id,
        "turn_id": entry.turn_id,
        "model": entry.model,
        "completed": entry.completed(),
        "code": entry.code(),
        "fault": entry.fault,
        "items": entry.items,
    })
}
