//! What is stored can be looked at, taken away as a file, and deleted.

use baton_engine::control::protocol::{Command, ErrorKind, ExportFormat, LogEntry, Reply};
use baton_sim::Mode;

use crate::stage::Stage;

async fn entries(stage: &Stage) -> Vec<LogEntry> {
    match stage.baton.execute(Command::Log { limit: 100 }).await {
        Ok(Reply::Log { entries }) => entries,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_export_has_every_line_once_and_writes_over_nothing() {
    let stage = Stage::two(100.0, 100.0).await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    let all = entries(&stage).await;
    assert!(!all.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let export = async |name: &str, format| {
        let path = folder.path().join(name);
        let answer = stage
            .baton
            .execute(Command::Export {
                path: path.clone(),
                format,
            })
            .await;
        (answer, std::fs::read_to_string(path).unwrap())
    };
    let (answer, json) = export("all.json", ExportFormat::Json).await;
    answer.unwrap();
    assert_eq!(serde_json::from_str::<Vec<LogEntry>>(&json).unwrap(), all);
    let (answer, csv) = export("all.csv", ExportFormat::Csv).await;
    answer.unwrap();
    assert_eq!(csv.lines().count(), all.len() + 1, "{csv}");
    assert!(csv.starts_with("at,kind,account,"), "{csv}");
    let (answer, again) = export("all.csv", ExportFormat::Json).await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("is there already"), "{error}");
    assert_eq!(again, csv);
}

#[tokio::test]
async fn a_deleted_history_is_gone_and_accounts_stay() {
    let stage = Stage::two(100.0, 100.0).await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    assert!(!entries(&stage).await.is_empty());
    stage.run(Command::DeleteHistory).await;
    assert_eq!(entries(&stage).await, []);
    match stage.baton.execute(Command::Data).await {
        Ok(Reply::Data { data }) => assert_eq!((data.requests, data.events, data.oldest), (0, 0, None)),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.baton.snapshot().accounts.len(), 2);
    assert!(stage.client(Mode::Http).turn("goes on").await.completed);
}
