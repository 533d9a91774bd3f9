//! The measurements, one after the other.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::{
    Result, codex, desktop, forecast, ledger,
    load::{self, Client, Content},
    micro,
    process::Part,
    proxies::{self, Way},
    replay,
    report::{Report, machine, megabytes, micros, nanos, times},
    socket, wire,
};

const REQUEST: usize = 32 * 1024;
/// The ways take turns this often.
const ROUNDS: usize = 5;
const SLICE: Duration = Duration::from_millis(700);
const STREAMS: usize = 8;
const MEGABYTES: usize = 24;
const FAILOVERS: usize = 20;
const OPEN_STREAMS: usize = 200;
const STARTS: usize = 10;
/// What starts gets this long to settle before its memory is read.
const SETTLE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(10);

/// Aims.
const ADDED: f64 = 1.5;
const PER_SECOND: f64 = 0.8;
const IDLE_MEMORY: f64 = 15e6;
const CHOOSE_NANOS: f64 = 300.0;
const HTTP_FAILOVER: Duration = Duration::from_millis(5);
const SOCKET_FAILOVER: Duration = Duration::from_millis(250);
/// The CLI's own pause before it reconnects (docs/protocol.md §4).
const CLI_PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn all() -> Result<String> {
    let mut report = Report::default();
    report.line(&format!("Machine: {}.\n", machine()));
    report.line(
        "Command: `make bench` (release build). The client, the service and each proxy share the cores.",
    );
    let upstream = Part::role(&["upstream"]).await?;
    let dir = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    let ways = [
        proxies::direct(&upstream.said)?,
        proxies::nginx(&upstream.said, dir.path()).await?,
        proxies::baton(&upstream.said, 2).await?,
    ];
    requests(&mut report, &ways).await?;
    long_streams(&mut report, &ways).await?;
    let [direct, nginx, baton] = ways;
    drop(nginx);
    sockets(&mut report, &direct, &baton, &upstream.said).await?;
    drop(baton);
    failovers(&mut report, &direct, &upstream.said).await?;
    footprint(&mut report, &upstream.said).await?;
    codex::measure(&mut report).await?;
    parts(&mut report)?;
    forecast::section(&mut report);
    Box::pin(ledger::section(&mut report)).await?;
    replay::measure(&mut report)?;
    desktop::section(&mut report).await?;
    Ok(report.finish())
}

/// A section that needs no service of this program's, by itself.
pub(crate) async fn only(section: &str) -> Result<String> {
    let mut report = Report::default();
    match section {
        "parts" => parts(&mut report)?,
        "forecast" => forecast::section(&mut report),
        "ledger" => Box::pin(ledger::section(&mut report)).await?,
        "replay" => replay::measure(&mut report)?,
        "desktop" => desktop::section(&mut report).await?,
        _ => {
            return Err(
                "the sections that can be measured by themselves are: parts, forecast, ledger, replay, desktop".into(),
            );
        }
    }
    Ok(report.finish())
}

/// Of one way, over all rounds.
#[derive(Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
    per_second: Vec<f64>,
    processor: Duration,
    requests: usize,
}

impl Rounds {
    fn p50(&self) -> Duration {
        Duration::from_secs_f64(median(&self.p50))
    }

    fn processor_each(&self) -> Option<Duration> {
        let each = self.processor.checked_div(u32::try_from(self.requests).ok()?)?;
        (!each.is_zero()).then_some(each)
    }
}

async fn requests(report: &mut Report, ways: &[Way; 3]) -> Result<()> {
    report.heading(
        "A 32 KB request with a small streamed answer",
        &[
            "connections, encoding",
            "way",
            "p50",
            "p99",
            "requests/s",
            "processor a request",
            "added p50, of nginx's",
            "requests/s, of nginx's",
        ],
    );
    let body = wire::body(REQUEST, &json!({}));
    let plain = Content {
        bytes: Bytes::from(body.clone()),
        zstd: false,
    };
    let packed = Content {
        bytes: wire::zstd(&body)?,
        zstd: true,
    };
    for connections in [1, 64] {
        for (encoding, content) in [("identity", &plain), ("zstd", &packed)] {
            eprintln!("measuring requests: {connections} connections, {encoding}");
            let rounds = take_turns(ways, content, connections).await?;
            tell(report, ways, &rounds, &format!("{connections}, {encoding}"));
        }
    }
    Ok(())
}

async fn take_turns(ways: &[Way; 3], content: &Content, connections: usize) -> Result<[Rounds; 3]> {
    let mut all: [Rounds; 3] = std::array::from_fn(|_| Rounds::default());
    for _ in 0..ROUNDS {
        for (way, rounds) in ways.iter().zip(&mut all) {
            let before = way.part.as_ref().map(Part::processor).transpose()?;
            let mut measured = load::small(&way.url, content, connections, SLICE).await?;
            if let (Some(part), Some(before)) = (&way.part, before) {
                rounds.processor += part.processor()?.saturating_sub(before);
            }
            rounds.requests += measured.latencies.len() + connections;
            rounds.p50.push(measured.percentile(0.5).as_secs_f64());
            rounds.p99.push(measured.percentile(0.99).as_secs_f64());
            rounds.per_second.push(measured.per_second);
        }
    }
    Ok(all)
}

fn tell(report: &mut Report, ways: &[Way; 3], rounds: &[Rounds; 3], what: &str) {
    let [direct, nginx, baton] = rounds;
    let added = |rounds: &Rounds| median(&rounds.p50) - median(&direct.p50);
    // Where nginx adds next to nothing, a ratio to it says nothing: a microsecond is what can be told apart.
    let added = added(baton) / added(nginx).max(1e-6);
    let per_second = median(&baton.per_second) / median(&nginx.per_second);
    for (index, (way, rounds)) in ways.iter().zip(rounds).enumerate() {
        let (mut latency, mut rate) = (String::new(), String::new());
        if index == 2 {
            let name = format!("added p50, {what}");
            let aim = report.aim(&name, added <= ADDED, "≤ 1.5 ×", &times(added));
            latency = format!("{} ({aim})", times(added));
            let name = format!("requests/s, {what}");
            let aim = report.aim(&name, per_second >= PER_SECOND, "≥ 0.8 ×", &times(per_second));
            rate = format!("{} ({aim})", times(per_second));
        }
        report.row(&[
            if index == 0 {
                what.to_owned()
            } else {
                String::new()
            },
            way.name.to_owned(),
            micros(rounds.p50()),
            micros(Duration::from_secs_f64(median(&rounds.p99))),
            format!("{:.0}", median(&rounds.per_second)),
            rounds.processor_each().map_or_else(String::new, micros),
            latency,
            rate,
        ]);
    }
}

async fn long_streams(report: &mut Report, ways: &[Way; 3]) -> Result<()> {
    eprintln!("measuring long streams");
    let content = Content {
        bytes: Bytes::from(wire::body(REQUEST, &json!({}))),
        zstd: false,
    };
    let mut speeds: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (way, speeds) in ways.iter().zip(&mut speeds) {
            speeds.push(load::streams(&way.url, &content, STREAMS, MEGABYTES).await?);
        }
    }
    let [direct, nginx, baton] = speeds.map(|speeds| median(&speeds));
    let ratio = baton / nginx;
    report.heading(
        "Eight long streams at a time",
        &["", "direct", "nginx", "Baton", "of nginx's"],
    );
    let aim = report.aim("long streams", ratio >= 1.0, "≥ 1 ×", &times(ratio));
    report.row(&[
        "together".to_owned(),
        format!("{direct:.0} MB/s"),
        format!("{nginx:.0} MB/s"),
        format!("{baton:.0} MB/s"),
        format!("{} ({aim})", times(ratio)),
    ]);
    Ok(())
}

async fn sockets(report: &mut Report, direct: &Way, baton: &Way, upstream: &str) -> Result<()> {
    eprintln!("measuring WebSocket");
    let relay = proxies::relay(upstream).await?;
    let (mut trips, mut frames): ([Vec<f64>; 3], [Vec<f64>; 3]) = Default::default();
    for _ in 0..ROUNDS {
        for (index, way) in [direct, &relay, baton].into_iter().enumerate() {
            let taken = socket::round_trips(&way.url, SLICE).await?;
            let taken: Vec<f64> = taken.iter().map(Duration::as_secs_f64).collect();
            trips[index].push(median(&taken));
            frames[index].push(socket::frames_per_second(&way.url).await?);
        }
    }
    let trips = trips.map(|trips| median(&trips));
    let frames = frames.map(|frames| median(&frames));
    report.heading(
        "WebSocket: a turn's small frame to the end of its answer, and frames of one long answer",
        &["", "direct", "bare relay", "Baton", "of the relay's"],
    );
    let row = |what: &str, say: &dyn Fn(f64) -> String, values: [f64; 3]| {
        let mut cells = vec![what.to_owned()];
        cells.extend(values.iter().map(|value| say(*value)));
        cells.push(times(values[2] / values[1]));
        cells
    };
    report.row(&row(
        "round trip",
        &|secs| micros(Duration::from_secs_f64(secs)),
        trips,
    ));
    report.row(&row("frames/s", &|count| format!("{count:.0}"), frames));
    Ok(())
}

async fn failovers(report: &mut Report, direct: &Way, upstream: &str) -> Result<()> {
    eprintln!("measuring failover");
    let content = Content {
        bytes: Bytes::from(wire::body(REQUEST, &json!({}))),
        zstd: false,
    };
    // Each failover spends an account, for good as far as this process goes.
    let baton = proxies::baton(upstream, FAILOVERS + 2).await?;
    let (mut own, mut http) = (Vec::new(), Vec::new());
    let mut ours = Client::connect(&direct.url).await?;
    let mut theirs = Client::connect(&baton.url).await?;
    ours.meet_limit(&content, "warm").await?;
    theirs.meet_limit(&content, "warm").await?;
    for number in 0..FAILOVERS {
        let taken = ours.meet_limit(&content, &format!("direct-{number}")).await?;
        own.push(taken.as_secs_f64());
        let taken = theirs.meet_limit(&content, &format!("baton-{number}")).await?;
        http.push(taken.as_secs_f64());
    }
    drop((theirs, baton));
    let baton = proxies::baton(upstream, FAILOVERS + 2).await?;
    let (mut sockets, mut reconnects) = (Vec::new(), 0);
    for number in 0..FAILOVERS {
        let (taken, told) = socket::failover(&baton.url, &number.to_string()).await?;
        sockets.push(taken.as_secs_f64());
        reconnects += told;
    }
    report.heading(
        "Failover: from a request that meets the usage limit to the next account's answer",
        &["", "upstream's own time", "through Baton", "slowest", "aim"],
    );
    let (own, through) = (median(&own), median(&http));
    let over = Duration::from_secs_f64((through - own).max(0.0));
    let aim = report.aim(
        "HTTP failover",
        over <= HTTP_FAILOVER,
        "≤ 5 ms over it",
        &micros(over),
    );
    let say = |secs: f64| micros(Duration::from_secs_f64(secs));
    report.row(&[
        "HTTP".to_owned(),
        say(own),
        format!("{} ({} over it)", say(through), micros(over)),
        say(slowest(&http)),
        aim,
    ]);
    // The account that is new to Baton is asked for its routing first, as in real life.
    let seen = Duration::from_secs_f64(median(&sockets));
    let told = f64::from(reconnects) / FAILOVERS as f64;
    let with_pause = seen + CLI_PAUSE.mul_f64(told);
    let aim = report.aim(
        "WebSocket failover",
        with_pause <= SOCKET_FAILOVER,
        "≤ 250 ms as the CLI sees it",
        &micros(with_pause),
    );
    report.row(&[
        "WebSocket".to_owned(),
        String::new(),
        format!(
            "{} with {told:.0} reconnect; {} with the CLI's own pause of about 200 ms before it",
            micros(seen),
            micros(with_pause)
        ),
        say(slowest(&sockets)),
        aim,
    ]);
    Ok(())
}

async fn footprint(report: &mut Report, upstream: &str) -> Result<()> {
    eprintln!("measuring memory and starts");
    report.heading("Footprint", &["", "measured", "aim"]);
    // The program itself lies beside this one.
    let program = std::env::current_exe()?.with_file_name("baton");
    let dir = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    let data_dir = dir.path().to_string_lossy().into_owned();
    let args = ["--data-dir", &data_dir, "--json", "serve", "--port", "0"];
    // The first makes the database. Each has the folder until it is gone.
    Part::start(&program, &args).await?.end().await?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let served = Part::start(&program, &args).await?;
        starts.push(served.ready_after.as_secs_f64());
        served.end().await?;
    }
    let served = Part::start(&program, &args).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = served.resident()?;
    let before = served.wake_ups()?;
    tokio::time::sleep(IDLE).await;
    let wakes = served.woken_since(&before)? as f64 / IDLE.as_secs_f64();
    drop(served);
    let start = Duration::from_secs_f64(median(&starts));
    let aim = report.aim("idle memory", idle <= IDLE_MEMORY, "≤ 15 MB", &megabytes(idle));
    let mut row = |what: &str, measured: String, aim: String| report.row(&[what.to_owned(), measured, aim]);
    row("`baton serve` idle, resident", megabytes(idle), aim);
    row("start to serving", micros(start), String::new());
    row("wake-ups idle", format!("{wakes:.1}/s"), String::new());

    let content = Content {
        bytes: Bytes::from(wire::body(REQUEST, &json!({}))),
        zstd: false,
    };
    let baton = proxies::baton(upstream, 2).await?;
    let part = baton.part.as_ref().ok_or("Baton is a process")?;
    let before = part.resident()?;
    let open = load::open_streams(&baton.url, &content, OPEN_STREAMS).await?;
    tokio::time::sleep(SETTLE).await;
    let with = part.resident()?;
    drop(open);
    row(
        "with 200 open streams of 32 KB requests, resident",
        format!(
            "{} ({:.0} KB a stream)",
            megabytes(with),
            (with - before) / OPEN_STREAMS as f64 / 1e3
        ),
        String::new(),
    );
    Ok(())
}

fn parts(report: &mut Report) -> Result<()> {
    eprintln!("measuring the parts by themselves");
    let micro = micro::measure()?;
    report.heading("The parts by themselves", &["", "measured", "aim"]);
    for (count, taken) in &micro.choose {
        let aim = if *count == 2 {
            let met = *taken <= CHOOSE_NANOS;
            report.aim("`choose`, 2 accounts", met, "≤ 0.3 µs", &nanos(*taken))
        } else {
            String::new()
        };
        report.row(&[format!("`choose`, {count} accounts"), nanos(*taken), aim]);
    }
    let mut row = |what: &str, measured: String| report.row(&[what.to_owned(), measured, String::new()]);
    row("`judge`", nanos(micro.judge));
    row("scanner of event streams", format!("{:.2} GB/s", micro.scanner));
    row("`Skim::read` of a 70 KB frame", nanos(micro.skim));
    Ok(())
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn slowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
