//! Commands about what is stored: the log, why a past request went where it went, the export.

mod export;

use std::{path::PathBuf, sync::Arc};

use baton_core::{Decision, Standing, explain};

use self::export::{ExportError, write};
use crate::{
    commands::{Answer, Commands, done, failed, invalid, select},
    control::protocol::{ControlError, Explanation, ExplanationLine, ExportFormat, LogFilter, Reply},
    store::{Only, Store, StoreError},
    words::PoolWords,
};

impl Commands {
    /// Runs `act` on the store, once it has all that has happened.
    pub(crate) async fn stored<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ControlError> {
        self.writer.flush().await;
        let store = Arc::clone(&self.store);
        let acted = tokio::task::spawn_blocking(move || act(&store)).await;
        acted.map_err(failed)?.map_err(failed)
    }

    pub(crate) async fn log(&self, limit: usize, only: LogFilter) -> Answer {
        let account = only
            .account
            .map(|account| self.desk.read(|pool, _| select(pool, &account)));
        let only = Only {
            account: account.transpose()?,
            kind: only.kind,
            since: only.since,
        };
        let entries = self.stored(move |store| store.log(limit, only)).await?;
        Ok(Reply::Log { entries })
    }

    /// Why a past request went where it went, with the labels of today.
    pub(crate) async fn explain(&self, request: u64) -> Answer {
        let known = self.stored(move |store| store.explained(request)).await?;
        let Some((line, decisions)) = known else {
            let days = self.store.retention().days();
            return Err(invalid(format!(
                "there is no request {request} in the ledger: `baton log` shows their numbers, and they are kept for {days} \
                 days. One that still runs is written when it ends"
            )));
        };
        let explanations = self.desk.read(|pool, now| {
            let words = PoolWords::new(pool, now);
            decisions
                .iter()
                .map(|decision| worded(decision, &words))
                .collect()
        });
        Ok(Reply::Explained {
            request: line,
            explanations,
        })
    }

    pub(crate) async fn export(&self, path: PathBuf, format: ExportFormat) -> Answer {
        self.writer.flush().await;
        let (store, file) = (Arc::clone(&self.store), path.clone());
        let written = tokio::task::spawn_blocking(move || write(&store, &file, format)).await;
        match written.map_err(failed)? {
            Ok(count) => done(format!("{count} lines are in {}.", path.display())),
            Err(ExportError::Store(error)) => Err(failed(error)),
            Err(ExportError::File(error)) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(invalid(format!(
                    "{} is there already: name a file that isn't",
                    path.display()
                )))
            }
            Err(ExportError::File(error)) => {
                Err(invalid(format!("{} can't be written: {error}", path.display())))
            }
        }
    }
}

fn worded(decision: &Decision, words: &PoolWords<'_>) -> Explanation {
    use explain::Words as _;
    let lines = decision.lines.iter().map(|line| ExplanationLine {
        account: line.account,
        label: words.label(line.account),
        chosen: matches!(line.standing, Standing::Chosen(_)),
        text: explain::line(line, words),
    });
    Explanation {
        at: decision.at,
        strategy: decision.strategy,
        text: explain::decision(decision, words),
        lines: lines.collect(),
    }
}
