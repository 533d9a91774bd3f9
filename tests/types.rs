//! The window's page speaks the control protocol; its types are made from Rust's, and kept in the repository so that
//! the page can be worked on without Rust. `BATON_WRITE_TYPES=1 cargo test --test types` writes them anew.

use std::{any::TypeId, collections::BTreeMap, path::Path};

use baton_engine::control::protocol::{Command, Message};
use ts_rs::{Config, TS, TypeVisitor};

const FILE: &str = "ui/src/lib/protocol.ts";

/// Every type that is reached, by name.
struct Declarations {
    config: Config,
    seen: Vec<TypeId>,
    by_name: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if self.seen.contains(&TypeId::of::<T>()) {
            return;
        }
        self.seen.push(TypeId::of::<T>());
        // Only a type with a file of its own has a name of its own.
        if T::output_path().is_some() {
            let docs = T::docs().unwrap_or_default();
            let declaration = format!("{docs}export {}\n", T::decl(&self.config));
            self.by_name.insert(T::ident(&self.config), declaration);
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

#[test]
fn the_window_s_types_are_the_control_protocol_s() {
    let mut all = Declarations {
        // Milliseconds, counts and ids: all far below what a JavaScript number holds exactly.
        config: Config::new().with_large_int("number"),
        seen: Vec::new(),
        by_name: BTreeMap::new(),
    };
    all.visit::<Command>();
    all.visit::<Message>();
    let declarations: Vec<String> = all.by_name.into_values().collect();
    let wanted = format!(
        "// The control protocol as the window's page sees it: made from Rust by tests/types.rs, not by hand.\n\n{}",
        declarations.join("\n")
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("BATON_WRITE_TYPES").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is there");
        std::fs::write(&path, &wanted).expect("the file is written");
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == wanted,
        "{FILE} isn't what Rust says: BATON_WRITE_TYPES=1 cargo test --test types, and commit it"
    );
}
