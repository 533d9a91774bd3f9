//! Who asks, by the user agent, e.g. `codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)`.

use http::{HeaderMap, header};

/// The CLI's own names. Editors and the desktop app bring a Codex of their own, which no PATH leads to.
const CLI: [&str; 4] = ["codex_exec", "codex_cli_rs", "codex_tui", "codex-tui"];
/// A longer version is none (bytes).
const MAX_VERSION: usize = 32;

/// The version of the Codex that asks, if it is one.
pub fn codex_version(headers: &HeaderMap) -> Option<&str> {
    Some(codex(headers)?.1)
}

/// [`codex_version`], of the CLI.
pub fn cli_version(headers: &HeaderMap) -> Option<&str> {
    let (name, version) = codex(headers)?;
    CLI.contains(&name).then_some(version)
}

/// Name and version.
fn codex(headers: &HeaderMap) -> Option<(&str, &str)> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    // `Codex Desktop/…` has a blank in it.
    let (name, rest) = agent.split_once('/')?;
    let version = rest.split(' ').next()?;
    let of_a_version = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    let sound = name.get(..5)?.eq_ignore_ascii_case("codex")
        && version.starts_with(|first: char| first.is_ascii_digit())
        && version.len() <= MAX_VERSION
        && version.bytes().all(of_a_version);
    sound.then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cli_has_a_version() {
        let long = format!("codex_exec/1.{}", "0".repeat(40));
        for (agent, version) in [
            (
                "codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)",
                Some("0.169.0"),
            ),
            ("codex_cli_rs/0.170.0-alpha.1", Some("0.170.0-alpha.1")),
            ("codex_vscode/0.169.0 (x)", None),
            ("codex_exec", None),
            ("codex_exec/", None),
            ("codex_exec/new (x)", None),
            ("codex_exec/1\t2", None),
            ("Mozilla/5.0 (codex_exec/0.169.0)", None),
            (&long, None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, agent.parse().unwrap());
            assert_eq!(cli_version(&headers), version, "{agent}");
            let of_an_editor = agent.starts_with("codex_vscode").then_some("0.169.0");
            assert_eq!(codex_version(&headers), version.or(of_an_editor), "{agent}");
        }
        assert_eq!(cli_version(&HeaderMap::new()), None);
    }
}
