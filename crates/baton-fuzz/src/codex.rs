//! Codex's own config.toml, which anybody may have written.

use std::path::Path;

use baton_engine::{
    codex::{EditError, Mode, Owner, connect, connected, connected_by_another, disconnect, take_over},
    control::protocol::BaseUrls,
};

/// Connecting can be undone byte for byte, and doing it twice is doing it once; what isn't TOML is placed. Another Baton's
/// lines stay, unless its place is taken over: then it is as if it had never been there.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let urls = |port: u16| BaseUrls {
        openai_base_url: format!("http://127.0.0.1:{port}/secret/backend-api/codex"),
        chatgpt_base_url: format!("http://localhost:{port}/secret/backend-api/"),
    };
    // The seeds have the marks of these two.
    let [owner, rival] = ["/baton", "/rival"].map(|data_dir| Owner::of(Path::new(data_dir)));
    let connect = |text: &str, urls: &BaseUrls, mode| connect(Some(text), urls, mode, &owner);
    let disconnect = |text: &str| disconnect(text, &owner);
    let connected = |text: &str| connected(text, &owner);
    let before = disconnect(text);
    for mode in [Mode::Default, Mode::Requests, Mode::Provider] {
        match connect(text, &urls(1), mode) {
            Ok(new) => {
                assert_eq!(connected(&new), Some(mode), "{new}");
                assert_eq!(connected_by_another(&new, &owner), None, "{new}");
                assert_eq!(take_over(Some(text), &urls(1), mode, &owner).as_ref(), Ok(&new));
                // And the other one in its place.
                if let Ok(taken) = take_over(Some(&new), &urls(2), mode, &rival) {
                    assert_eq!(connected(&taken), None, "{taken}");
                    assert_eq!(disconnect(&taken).as_ref(), Ok(&Some(taken.clone())));
                    assert_eq!(
                        connect(&taken, &urls(1), mode),
                        Err(EditError::AnotherBaton(rival.clone()))
                    );
                }
                assert_eq!(disconnect(&new), before, "{new}");
                assert_eq!(connect(&new, &urls(1), mode).as_ref(), Ok(&new));
                assert_eq!(connect(&new, &urls(2), mode), connect(text, &urls(2), mode));
            }
            Err(EditError::Unparsable { line, .. } | EditError::InTheWay { line, .. }) => {
                assert!((1..=text.split('\n').count()).contains(&line), "line {line}");
            }
            Err(EditError::AnotherBaton(another)) => {
                assert_eq!(connected_by_another(text, &owner), Some(another));
                if let Ok(new) = take_over(Some(text), &urls(1), mode, &owner) {
                    assert_eq!(connected(&new), Some(mode), "{new}");
                    assert_eq!(connected_by_another(&new, &owner), None, "{new}");
                }
            }
            Err(EditError::NoWayBack) => {}
        }
    }
}
