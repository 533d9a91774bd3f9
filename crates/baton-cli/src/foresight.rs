//! Commands that look ahead and back: the forecast, the timeline, the replay.

use std::{fs, io::Write as _, path::Path};

use baton_core::timeline::{Look, svg};
use baton_engine::control::protocol::{Command as Ask, Reply};
use serde_json::json;

use crate::{
    args::TimelineArgs,
    baton::{Baton, unexpected},
    error::Failure,
    show::{self, Labels, Out},
};

/// Of a picture in a file, in pixels.
const WIDTH: f64 = 960.0;

pub(crate) async fn forecast(baton: &mut Baton, out: Out) -> Result<(), Failure> {
    match baton.call(Ask::Forecast).await? {
        Reply::Forecast { forecast } if out.json => out.print_json(&json!({ "forecast": forecast })),
        Reply::Forecast { forecast } => {
            let snapshot = baton.snapshot().await?;
            out.print(&show::forecast(&forecast, &snapshot, out.style));
        }
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

pub(crate) async fn timeline(baton: &mut Baton, args: TimelineArgs, out: Out) -> Result<(), Failure> {
    let ask = Ask::Timeline {
        days: args.days,
        width: None,
    };
    let timeline = match baton.call(ask).await? {
        Reply::Timeline { timeline, .. } => timeline,
        other => return Err(unexpected(&other)),
    };
    let snapshot = baton.snapshot().await?;
    if let Some(file) = &args.svg {
        let look = Look {
            width: WIDTH,
            standalone: true,
        };
        create(file, &svg(&timeline, look, &Labels::from(&snapshot)))?;
    }
    if out.json {
        out.print_json(&json!({ "timeline": timeline }));
    } else if let Some(file) = &args.svg {
        out.print(&format!("The timeline is in {}.", file.display()));
    } else {
        out.print(&show::timeline(&timeline, out.style));
    }
    Ok(())
}

pub(crate) async fn replay(baton: &mut Baton, days: Option<u32>, out: Out) -> Result<(), Failure> {
    match baton.call(Ask::Replay { days }).await? {
        Reply::Replay { replay } if out.json => out.print_json(&json!({ "replay": replay })),
        Reply::Replay { replay } => out.print(&show::replay(&replay, out.style)),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

/// A file that isn't there yet.
fn create(file: &Path, contents: &str) -> Result<(), Failure> {
    let written = fs::File::create_new(file).and_then(|mut new| new.write_all(contents.as_bytes()));
    written.map_err(|error| {
        Failure::new(match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("{} is there already: name a file that isn't", file.display())
            }
            _ => format!("{} can't be written: {error}", file.display()),
        })
    })
}
