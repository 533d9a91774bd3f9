//! What reaches the engine's doors: the proxy's requests and the control socket's lines.

use baton_engine::{
    control::protocol::{Call, ErrorKind, Message, VERSION},
    proxy::{authorise, unpacked},
};
use baton_wire::request::Skim;
use http::{Request, StatusCode, header};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::{http_text, json::alike};

const SECRET: &str = "path-secret";
/// What a body may be unpacked to here.
const MOST: u64 = 1024 * 1024;

/// A body as it comes packed, and as JSON to be packed.
pub(crate) fn body(data: &[u8]) {
    if let Some(text) = unpacked(data, MOST) {
        assert!(text.len() as u64 <= MOST);
        let _ = Skim::read(&text);
    }
    let packed = zstd::encode_all(data, 1).expect("a Vec takes all");
    assert_eq!(unpacked(&packed, data.len() as u64).as_deref(), Some(data));
    if let Some(less) = (data.len() as u64).checked_sub(1) {
        assert_eq!(unpacked(&packed, less), None, "more than was allowed");
    }
    assert_eq!(
        unpacked(&packed[..packed.len() - 1], MOST),
        None,
        "half a body is none"
    );
}

/// A method and a path, then headers. Without the secret, from a web page or to another host nothing passes; and what
/// passes stays below the backend, however the upstream reads its path.
pub(crate) fn guard(data: &[u8]) {
    let (line, rest) = http_text::first_line(data);
    let (headers, _) = http_text::headers(rest);
    let Some((method, path)) = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.split_once(' '))
    else {
        return;
    };
    let Ok(mut request) = Request::builder().method(method).uri(path).body(()) else {
        return;
    };
    *request.headers_mut() = headers;
    let asked = request.uri().clone();
    match authorise(&request, &SecretString::from(SECRET)) {
        Ok(route) => {
            assert!(asked.path().starts_with(&format!("/{SECRET}/backend-api/")));
            assert!(!request.headers().contains_key(header::ORIGIN));
            assert_eq!(request.headers().get_all(header::HOST).iter().count(), 1);
            let host = request.headers()[header::HOST].to_str().unwrap_or_default();
            match Url::parse(&format!("http://{host}/")).map(|host| host.host_str().map(str::to_owned)) {
                Ok(host) => assert!(matches!(
                    host.as_deref(),
                    Some("127.0.0.1" | "localhost" | "[::1]")
                )),
                // A port that can't be doesn't matter: whose name it is does.
                Err(error) => assert_eq!(error, url::ParseError::InvalidPort),
            }
            assert!(route.rest.starts_with('/'));
            let upstream =
                Url::parse(&format!("https://upstream.test/backend-api{}", route.rest)).expect("a URL");
            assert_eq!(upstream.host_str(), Some("upstream.test"));
            assert!(upstream.path().starts_with("/backend-api/"), "{upstream}");
            // An upstream may resolve dot segments: the route that was judged must be the one that is served.
            assert!(!upstream.path().split('/').any(|part| part == ".."), "{upstream}");
            let below = asked.path().len() - "/backend-api".len() - SECRET.len() - 1;
            let judged = route.rest.get(..below).expect("the path");
            assert_eq!(
                upstream.path().matches('/').count(),
                1 + judged.matches(['/', '\\']).count(),
                "{upstream}"
            );
        }
        Err(refused) => {
            let status = refused.status();
            assert!(
                matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND),
                "{status}"
            );
        }
    }
}

/// A line to the control socket, which a client writes; and a line from it, which a client reads.
pub(crate) fn control(data: &[u8]) {
    match Call::read(data) {
        Ok(command) => {
            let call = Call {
                version: VERSION,
                command: command.clone(),
            };
            let line = serde_json::to_vec(&call).expect("JSON");
            assert!(!line.contains(&b'\n'), "one line");
            let again = Call::read(&line).expect("what was written can be read");
            assert!(alike(&tree(&again), &tree(&command)), "{again:?} was {command:?}");
        }
        Err(error) => assert!(matches!(error.kind, ErrorKind::Invalid | ErrorKind::OtherVersion)),
    }
    if let Ok(message) = serde_json::from_slice::<Message>(data) {
        let line = serde_json::to_vec(&message).expect("JSON");
        assert!(!line.contains(&b'\n'), "one line");
        let again: Message = serde_json::from_slice(&line).expect("what was written can be read");
        assert!(alike(&tree(&again), &tree(&message)), "{again:?} was {message:?}");
    }
}

fn tree<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("JSON")
}
