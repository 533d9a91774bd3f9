//! What holds for every config.toml.

use std::{collections::BTreeSet, path::Path};

use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest,
};
use toml_edit::{Document, Item};

use super::{EditError, Mode, Owner};
use crate::control::protocol::BaseUrls;

pub(super) fn urls(port: u16) -> BaseUrls {
    BaseUrls {
        openai_base_url: format!("http://127.0.0.1:{port}/secret/backend-api/codex"),
        chatgpt_base_url: format!("http://localhost:{port}/secret/backend-api/"),
    }
}

/// This Baton.
pub(super) fn owner() -> Owner {
    Owner::of(Path::new("/home/me/baton"))
}

/// Another one on this machine.
pub(super) fn rival() -> Owner {
    Owner::of(Path::new("/home/me/another"))
}

fn connect(text: Option<&str>, urls: &BaseUrls, mode: Mode) -> Result<String, EditError> {
    super::connect(text, urls, mode, &owner())
}

fn disconnect(text: &str) -> Result<Option<String>, EditError> {
    super::disconnect(text, &owner())
}

fn connected(text: &str) -> Option<Mode> {
    super::connected(text, &owner())
}

const MODES: [Mode; 3] = [Mode::Default, Mode::Requests, Mode::Provider];
/// Stands once in every file, outside of any table: what a person edits while connected.
const EDITED: &str = "edited = 1";

/// A value in one of TOML's forms; those of several lines look like what Baton reads.
fn value() -> impl Strategy<Value = String> {
    let mark = owner();
    prop_oneof![
        Just("\"text # no comment\"".to_owned()),
        Just("'literal \\'".to_owned()),
        Just("-1_000".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just(format!(
            "\"\"\"\nopenai_base_url = 1 {mark}\n{mark} text\n\n[table]\"\"\""
        )),
        Just(format!("'''{mark}\n# Baton made this file. {mark}\n'''")),
        Just("[ 1, # one\n\t2,\n  # two\n]".to_owned()),
        Just("{ a.b = 1, c = [ { d = \"e\" } ] }".to_owned()),
        "[ -~]{0,12}".prop_map(|text| format!("{text:?}")),
    ]
}

/// What may stand around a key and behind a value.
fn around() -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    let indent = prop_oneof![Just(""), Just("\t"), Just("   ")];
    let equals = prop_oneof![Just("="), Just(" = "), Just("\t=\t")];
    let behind = prop_oneof![
        Just(""),
        Just(" "),
        Just(" # why not"),
        Just("\t#\tétat"),
        Just(" #<bat")
    ];
    (indent, equals, behind)
}

/// `{n}` becomes a number of its own.
fn pair() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("key{n}"),
        Just("\"quoted key {n}\""),
        Just("'literal.{n}'"),
        Just("dotted{n}.a . b"),
        Just("dotted{n}.\"c\""),
    ];
    (key, around(), value())
        .prop_map(|(key, (indent, equals, behind), value)| format!("{indent}{key}{equals}{value}{behind}"))
}

fn filler() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" \t".to_owned()),
        Just("# a comment".to_owned()),
        Just("\t# openai_base_url = \"https://not.yet\"".to_owned()),
        Just("#:schema https://example.com/schema.json".to_owned()),
    ]
}

/// One of the keys that Baton sets, as somebody had it before.
fn standing(key: &'static str) -> impl Strategy<Value = Option<String>> {
    let written = prop_oneof![
        Just(key.to_owned()),
        Just(format!("\"{key}\"")),
        Just(format!("'{key}'"))
    ];
    let line = (written, around(), value())
        .prop_map(|(key, (indent, equals, behind), value)| format!("{indent}{key}{equals}{value}{behind}"));
    prop::option::of(line)
}

fn table() -> impl Strategy<Value = String> {
    let header = prop_oneof![
        Just("[table{n}]"),
        Just("[ table{n} . \"x.y\" ] # header"),
        Just("[[array{n}]]"),
        Just("[projects.\"/home/me/{n}\"]"),
        Just("[model_providers.other{n}]"),
    ];
    let inside = prop_oneof![pair(), filler(), Just("openai_base_url = \"theirs\"".to_owned())];
    (header, prop::collection::vec(inside, 0..4)).prop_map(|(header, lines)| {
        let mut known = BTreeSet::new();
        let lines = lines
            .into_iter()
            .filter(|line| !line.starts_with("openai") || known.insert(line.clone()));
        std::iter::once(header.to_owned())
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

/// Any file that Codex could read.
fn config() -> impl Strategy<Value = String> {
    let root = prop::collection::vec(prop_oneof![pair(), filler()], 0..6);
    let ours = (
        standing("openai_base_url"),
        standing("chatgpt_base_url"),
        standing("model_provider"),
    );
    let tables = prop::collection::vec(table(), 0..4);
    let form = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<prop::sample::Index>(),
    );
    (root, ours, tables, form).prop_map(|(mut root, ours, tables, (windows, mark, ended, place))| {
        for line in [ours.0, ours.1, ours.2, Some(EDITED.to_owned())]
            .into_iter()
            .flatten()
        {
            root.insert(place.index(root.len() + 1), line);
        }
        root.extend(tables);
        let numbered = root.iter().enumerate().map(|(n, line)| {
            line.lines().enumerate().fold(String::new(), |all, (m, line)| {
                let joint = if m == 0 { "" } else { "\n" };
                all + joint + &line.replace("{n}", &format!("{n}_{m}"))
            })
        });
        let mut text = numbered.collect::<Vec<_>>().join("\n");
        if ended {
            text.push('\n');
        }
        if windows {
            text = text.replace('\n', "\r\n");
        }
        if mark {
            text.insert(0, '\u{feff}');
        }
        text
    })
}

fn has(text: &str, urls: &BaseUrls, mode: Mode) -> bool {
    let document = Document::parse(text).unwrap();
    let value = |key: &str| document.get(key).and_then(Item::as_str);
    match mode {
        Mode::Default => {
            value("openai_base_url") == Some(&urls.openai_base_url)
                && value("chatgpt_base_url") == Some(&urls.chatgpt_base_url)
        }
        Mode::Requests => value("openai_base_url") == Some(&urls.openai_base_url),
        Mode::Provider => {
            value("model_provider") == Some("baton")
                && document["model_providers"]["baton"]["base_url"].as_str() == Some(&urls.openai_base_url)
        }
    }
}

/// A person changes a line and adds others.
fn edited(text: &str) -> String {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    text.replacen(
        EDITED,
        &format!("edited = 2{line_end}# more{line_end}added = true"),
        1,
    )
}

proptest! {
    #[test]
    fn connecting_can_be_undone_byte_for_byte(text in config()) {
        prop_assume!(Document::parse(text.as_str()).is_ok());
        for mode in MODES {
            let new = connect(Some(&text), &urls(1), mode).unwrap();
            prop_assert!(has(&new, &urls(1), mode), "{}", new);
            prop_assert_eq!(connected(&new), Some(mode));
            prop_assert_eq!(disconnect(&new).unwrap().unwrap(), text.clone());
            prop_assert_eq!(disconnect(&text).unwrap().unwrap(), text.clone());
        }
    }

    #[test]
    fn connecting_again_rewrites_only_what_is_batons(text in config(), from in 0..3_usize, to in 0..3_usize) {
        prop_assume!(Document::parse(text.as_str()).is_ok());
        let first = connect(Some(&text), &urls(1), MODES[from]).unwrap();
        prop_assert_eq!(&connect(Some(&first), &urls(1), MODES[from]).unwrap(), &first);
        let moved = connect(Some(&first), &urls(2), MODES[to]).unwrap();
        prop_assert_eq!(moved, connect(Some(&text), &urls(2), MODES[to]).unwrap());
    }

    #[test]
    fn what_is_edited_meanwhile_survives(text in config(), mode in 0..3_usize) {
        prop_assume!(Document::parse(text.as_str()).is_ok());
        let new = connect(Some(&text), &urls(1), MODES[mode]).unwrap();
        prop_assert_eq!(disconnect(&edited(&new)).unwrap().unwrap(), edited(&text));
        // What is added at the end, behind a table of Baton's too.
        let added = |text: &str| format!("{text}\n[added]\nx = 1\n");
        let back = disconnect(&added(&new)).unwrap().unwrap();
        let expected = added(&text);
        prop_assert_eq!(back.replace(['\r', '\n'], ""), expected.replace(['\r', '\n'], ""));
        prop_assert!(Document::parse(back).is_ok());
    }

    #[test]
    fn no_text_is_harmed(
        text in "([ -~\n\r\t\u{feff}]|#<OURS> ?|#<THEIRS> ?|openai_base_url = |\"\"\"){0,40}"
    ) {
        let text = text.replace("#<OURS>", owner().mark()).replace("#<THEIRS>", rival().mark());
        for mode in MODES {
            if let Ok(new) = connect(Some(&text), &urls(1), mode) {
                prop_assert!(has(&new, &urls(1), mode));
                prop_assert_eq!(disconnect(&new), disconnect(&text));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_second_baton_neither_takes_out_nor_is_taken_out(text in config(), first in 0..3_usize, second in 0..3_usize) {
        prop_assume!(Document::parse(text.as_str()).is_ok());
        let taken = connect(Some(&text), &urls(1), MODES[first]).unwrap();
        for mode in MODES {
            let refused = super::connect(Some(&taken), &urls(2), mode, &rival());
            prop_assert_eq!(refused, Err(EditError::AnotherBaton(owner())));
        }
        prop_assert_eq!(super::disconnect(&taken, &rival()).unwrap().unwrap(), taken.clone());
        prop_assert_eq!(super::connected(&taken, &rival()), None);

        let moved = super::take_over(Some(&taken), &urls(2), MODES[second], &rival()).unwrap();
        prop_assert_eq!(&moved, &super::connect(Some(&text), &urls(2), MODES[second], &rival()).unwrap());
        prop_assert_eq!(connected(&moved), None);
        prop_assert_eq!(disconnect(&moved).unwrap().unwrap(), moved.clone());
        prop_assert_eq!(super::disconnect(&moved, &rival()).unwrap().unwrap(), text);
    }
}

/// A generated file that can't be parsed proves nothing: nearly all can.
#[test]
fn the_generated_files_are_toml() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let config = config();
    let texts = (0..200).map(|_| config.new_tree(&mut runner).unwrap().current());
    let wrong: Vec<_> = texts
        .filter(|text| Document::parse(text.as_str()).is_err())
        .collect();
    assert!(wrong.len() < 20, "{}: {}", wrong.len(), wrong[0]);
}

#[test]
fn the_default_looks_like_this() {
    let text =
        "#:schema https://example.com\nmodel = \"m\"\nopenai_base_url = 'https://mine' # for now\n[tui]\n";
    let new = connect(Some(text), &urls(1), Mode::Default).unwrap();
    let new = new.replace(owner().mark(), "#<baton TAG>");
    assert_eq!(
        new,
        "#:schema https://example.com\n\
         # Codex goes through Baton; `baton disconnect` undoes it. A URL of Baton's holds a secret: treat it like a \
         password. #<baton TAG>\n\
         # By hand: remove each line that ends in #<baton TAG>, and \"#<baton TAG> \" where a line begins with it. #<baton TAG>\n\
         openai_base_url = \"http://127.0.0.1:1/secret/backend-api/codex\" #<baton TAG>\n\
         chatgpt_base_url = \"http://localhost:1/secret/backend-api/\" #<baton TAG>\n\
         model = \"m\"\n\
         #<baton TAG> openai_base_url = 'https://mine' # for now\n\
         [tui]\n"
    );
}

#[test]
fn a_new_value_of_ones_own_is_kept_beside_the_old_one_as_a_comment() {
    let new = connect(
        Some("openai_base_url = 'https://old'\n"),
        &urls(1),
        Mode::Requests,
    )
    .unwrap();
    let theirs = new
        .replace("127.0.0.1:1", "new")
        .replace(&format!("codex\" {}", owner()), "codex\"");
    assert_eq!(
        disconnect(&theirs).unwrap().unwrap(),
        "openai_base_url = \"http://new/secret/backend-api/codex\"\n# openai_base_url = 'https://old'\n"
    );
}

#[test]
fn what_can_not_be_set_aside_is_named() {
    for (text, mode, key) in [
        ("\n[openai_base_url]\n", Mode::Default, "openai_base_url"),
        ("\nopenai_base_url.a = 1\n", Mode::Default, "openai_base_url"),
        ("\nmodel_providers = {}\n", Mode::Provider, "model_providers"),
        (
            "\n[model_providers.baton]\n",
            Mode::Provider,
            "model_providers.baton",
        ),
    ] {
        let error = connect(Some(text), &urls(1), mode).unwrap_err();
        let key = key.to_owned();
        assert_eq!(error, EditError::InTheWay { line: 2, key }, "{text}");
    }
}
