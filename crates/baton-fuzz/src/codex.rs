//! Codex's own config.toml, which anybody may have written.

use baton_engine::{
    codex::{EditError, Mode, connect, connected, disconnect},
    control::protocol::BaseUrls,
};

/// Connecting can be undone byte for byte, and doing it twice is doing it once; what isn't TOML is placed.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let urls = |port: u16| BaseUrls {
        openai_base_url: format!("http://127.0.0.1:{port}/secret/backend-api/codex"),
        chatgpt_base_url: format!("http://localhost:{port}/secret/backend-api/"),
    };
    let before = disconnect(text);
    for mode in [Mode::Default, Mode::Requests, Mode::Provider] {
        match connect(Some(text), &urls(1), mode) {
            Ok(new) => {
                assert_eq!(connected(&new), Some(mode), "{new}");
                assert_eq!(disconnect(&new), before, "{new}");
                assert_eq!(connect(Some(&new), &urls(1), mode).as_ref(), Ok(&new));
                assert_eq!(
                    connect(Some(&new), &urls(2), mode),
                    connect(Some(text), &urls(2), mode)
                );
            }
            Err(EditError::Unparsable { line, .. } | EditError::InTheWay { line, .. }) => {
                assert!((1..=text.split('\n').count()).contains(&line), "line {line}");
            }
            Err(EditError::NoWayBack) => {}
        }
    }
}
