//! A session bus with a Secret Service on it, as a desktop has them.

use std::{
    collections::BTreeSet,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use super::{SOON, lines};

const SECRETS: &str = "org.freedesktop.secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";

/// Ended when it is dropped.
pub(crate) struct Keychain {
    bus: Child,
    service: Child,
    environment: [(&'static str, String); 3],
}

impl Keychain {
    /// Unlocked. `home`: where its files go.
    pub(crate) fn start(home: &Path) -> Self {
        let address = format!("unix:path={}", home.join("bus").display());
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address", "--address", &address])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus is installed");
        let environment = [
            (
                "DBUS_SESSION_BUS_ADDRESS",
                lines(bus.stdout.take().unwrap()).recv_timeout(SOON).unwrap(),
            ),
            ("HOME", home.display().to_string()),
            ("XDG_RUNTIME_DIR", home.display().to_string()),
        ];
        let service = service(&environment);
        let keychain = Self {
            bus,
            service,
            environment,
        };
        keychain.until(false);
        keychain
    }

    pub(crate) fn address(&self) -> &str {
        &self.environment[0].1
    }

    pub(crate) fn lock(&self) {
        let collection = format!("array:objpath:{COLLECTION}");
        let lock = ["org.freedesktop.Secret.Service.Lock", &collection];
        self.ask(SECRETS, "/org/freedesktop/secrets", &lock);
        self.until(true);
    }

    /// As when the person logs in anew.
    pub(crate) fn unlock(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
        self.service = service(&self.environment);
        self.until(false);
    }

    /// The items of a service, by their places.
    pub(crate) fn items(&self, service: &str) -> BTreeSet<String> {
        let attributes = format!("dict:string:string:service,{service}");
        let search = ["org.freedesktop.Secret.Service.SearchItems", &attributes];
        let found = self.ask(SECRETS, "/org/freedesktop/secrets", &search);
        let items = found.lines().filter(|line| line.contains(COLLECTION));
        items.map(|line| line.trim().to_owned()).collect()
    }

    fn until(&self, locked: bool) {
        // Asked of a service that isn't there yet, the bus would start one of its own.
        let owned = "org.freedesktop.DBus.NameHasOwner";
        self.answers(
            "org.freedesktop.DBus",
            "/",
            &[owned, "string:org.freedesktop.secrets"],
            true,
        );
        let get = [
            "org.freedesktop.DBus.Properties.Get",
            "string:org.freedesktop.Secret.Collection",
            "string:Locked",
        ];
        self.answers(SECRETS, COLLECTION, &get, locked);
    }

    fn answers(&self, who: &str, object: &str, what: &[&str], so: bool) {
        let deadline = Instant::now() + SOON;
        while !self.ask(who, object, what).contains(&format!("boolean {so}")) {
            assert!(Instant::now() < deadline, "the keychain doesn't answer");
            thread::yield_now();
        }
    }

    fn ask(&self, who: &str, object: &str, what: &[&str]) -> String {
        let asked = Command::new("dbus-send")
            .args(["--session", "--print-reply", &format!("--dest={who}"), object])
            .args(what)
            .envs(self.environment.clone())
            .output();
        String::from_utf8(asked.unwrap().stdout).unwrap()
    }
}

/// Unlocked by the password of its collection.
fn service(environment: &[(&'static str, String)]) -> Child {
    let mut service = Command::new("gnome-keyring-daemon")
        .args(["--foreground", "--unlock", "--components=secrets"])
        .envs(environment.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gnome-keyring is installed");
    service.stdin.take().unwrap().write_all(b"a password").unwrap();
    service
}

impl Drop for Keychain {
    fn drop(&mut self) {
        for child in [&mut self.service, &mut self.bus] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
