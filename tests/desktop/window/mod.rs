//! The window, driven by WebDriver: WebKit's own driver starts the program and presses its buttons.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio, time::Instant};

use baton_core::Strategy;
use baton_engine::control::protocol::{Appearance, Command, Snapshot};
use fantoccini::{Client, ClientBuilder, Locator, key::Key};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::process::{Child, Command as Process};

use crate::stage::{PATIENCE, Stage, on_a_screen, until};

mod accounts;
mod keyboard;
mod outlook;
mod settings;
mod troubles;

pub(crate) struct Window {
    page: Client,
    _driver: Child,
}

impl Window {
    pub(crate) async fn open(stage: &Stage, place: &str) -> Self {
        let port = port();
        // The sign-in page is followed by a browser that agrees to everything.
        let browser = stage.folder.path().join("browser");
        fs::write(
            &browser,
            "#!/bin/sh\nexec curl --silent --location --noproxy '*' --output /dev/null \"$1\"\n",
        )
        .expect("a script");
        fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("it may run");
        let driver = Process::new("WebKitWebDriver")
            .arg(format!("--port={port}"))
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("BROWSER", &browser)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("scripts/setup test installs webkit2gtk-driver");
        until("WebDriver", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        })
        .await;
        let data = stage.data.to_string_lossy();
        let arguments = ["window", "--data-dir", &data, "--place", place];
        let wanted = json!({
            "webkitgtk:browserOptions": {
                "binary": env!("CARGO_BIN_EXE_baton-desktop"),
                "args": arguments,
            }
        });
        let capabilities = wanted.as_object().expect("an object").clone();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let driver_url = format!("http://127.0.0.1:{port}");
        let session = builder.connect(&driver_url);
        // A first start of WebKit, which a busy machine takes long for.
        let page = tokio::time::timeout(2 * PATIENCE, session)
            .await
            .expect("a session")
            .expect("a session");
        Self {
            page,
            _driver: driver,
        }
    }

    /// What says this, once it is there.
    pub(crate) async fn sees(&self, xpath: &str) -> fantoccini::elements::Element {
        let wait = self.page.wait().at_most(PATIENCE);
        match wait.for_element(Locator::XPath(xpath)).await {
            Ok(element) => element,
            Err(error) => {
                let text = self.page.find(Locator::Css("body")).await;
                let text = match text {
                    Ok(body) => body.text().await.unwrap_or_default(),
                    Err(_) => String::new(),
                };
                panic!("{xpath}: {error}; the page says:\n{text}")
            }
        }
    }

    async fn press(&self, xpath: &str) {
        let deadline = Instant::now() + PATIENCE;
        // What moves or is covered for a moment is pressed once it isn't.
        while let Err(error) = self.scrolled_to(xpath).await.click().await {
            if Instant::now() > deadline {
                let covers = self.covers(xpath).await;
                panic!("{xpath} can't be pressed: {error}; {covers}");
            }
        }
    }

    /// As a person does, who presses nothing that still moves; WebKit's driver stops a bit short of what is below.
    async fn scrolled_to(&self, xpath: &str) -> fantoccini::elements::Element {
        let scroll = "arguments[0].scrollIntoView({ block: 'center' });
            const { x, y, width, height } = arguments[0].getBoundingClientRect();
            return [x, y, width, height];";
        let deadline = Instant::now() + PATIENCE;
        let mut stood = None;
        loop {
            let element = self.sees(xpath).await;
            let shown = serde_json::to_value(&element).expect("a reference");
            // It may be gone by now: then it is looked for again.
            let stands = self.page.execute(scroll, vec![shown]).await.ok();
            if (stands.is_some() && stands == stood) || Instant::now() > deadline {
                return element;
            }
            stood = stands;
        }
    }

    /// What lies where it would be pressed.
    async fn covers(&self, xpath: &str) -> String {
        let look = "const found = document.evaluate(arguments[0], document, null, 9, null).singleNodeValue;
            const box = found.getBoundingClientRect();
            const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
            return `at ${x}, ${y} of ${innerWidth} x ${innerHeight}: ${document.elementFromPoint(x, y)?.outerHTML.slice(0, 200)}`;";
        match self.page.execute(look, vec![json!(xpath)]).await {
            Ok(found) => found.to_string(),
            Err(error) => error.to_string(),
        }
    }

    async fn button(&self, name: &str) {
        self.press(&format!(
            "//button[normalize-space(.)='{name}' or @aria-label='{name}']"
        ))
        .await;
    }

    /// One of the views above.
    async fn view(&self, name: &str) {
        self.press(&format!("//nav//button[normalize-space(.)='{name}']"))
            .await;
    }

    /// An entry of an account's menu, which is opened again if what moved meanwhile was pressed in its place.
    async fn choose(&self, label: &str, entry: &str) {
        let opened = format!("//button[@aria-label='Actions for {label}'][@aria-expanded='true']");
        let deadline = Instant::now() + PATIENCE;
        while self.page.find(Locator::XPath(&opened)).await.is_err() {
            assert!(Instant::now() < deadline, "the menu of {label} doesn't open");
            self.button(&format!("Actions for {label}")).await;
        }
        self.press(&format!(
            "//*[@role='menuitem'][starts-with(normalize-space(.), '{entry}')]"
        ))
        .await;
    }

    /// In the dialog that is open.
    async fn answer(&self, button: &str) {
        self.press(&format!("//dialog[@open]//button[normalize-space(.)='{button}']"))
            .await;
    }

    /// Writes into a field in place of what stands there, as a person does.
    async fn write(&self, xpath: &str, text: &str) {
        let field = self.sees(xpath).await;
        field.click().await.expect("it takes the focus");
        let all = format!("{}a{}", char::from(Key::Control), char::from(Key::Control));
        field.send_keys(&all).await.expect("all of it");
        field.send_keys(text).await.expect("typed");
    }

    /// A switch by its title, and what it says now.
    async fn flip(&self, title: &str) {
        self.press(&switch(title)).await;
    }

    async fn is_on(&self, title: &str, on: bool) {
        self.sees(&format!("{}[@aria-checked='{on}']", switch(title)))
            .await;
    }

    /// Begins to add an account by a code.
    async fn asks_for_a_code(&self, label: &str) {
        self.press("(//button[contains(., 'Add account')])[1]").await;
        self.write("//dialog[@open]//input[@type='text']", label).await;
        self.press("//dialog[@open]//label[contains(., 'With a code')]")
            .await;
        self.answer("Get a code").await;
    }

    /// The sign-in page agrees to this account again, and the dialog says what came of it.
    async fn renews(&self, stage: &Stage, account: &str) {
        stage.sim.consent(baton_sim::Consent::Agrees(account.to_owned()));
        self.answer("Open sign-in page").await;
        self.sees("//dialog[@open]//*[normalize-space(.)='Renewed']")
            .await;
        self.answer("Done").await;
    }

    async fn keys(&self, keys: &str) {
        let focused = self.page.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("typed");
    }

    pub(crate) async fn close(self) {
        self.page.close().await.expect("it closes");
    }
}

/// Two accounts, of which the first has a hundred requests, and the window at this place.
async fn opened(place: &str) -> (Stage, Window) {
    let stage = Stage::new(100.0).await;
    stage.baton.execute(Command::AcceptTerms).await.expect("saved");
    let window = Window::open(&stage, place).await;
    (stage, window)
}

async fn end(stage: Stage, window: Window) {
    window.close().await;
    stage.baton.shutdown().await;
}

/// For the driver, which can't be asked which one it took. Not one that the system gives to whoever asks for any: by the
/// time the driver takes it, it might be somebody else's.
fn port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 10_000;
    let own = std::process::id() % COUNT;
    let ports = (0..COUNT).map(|step| FIRST + (own + step) % COUNT);
    ports
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port")
}

fn switch(title: &str) -> String {
    format!("//button[@role='switch'][@aria-labelledby=//span[normalize-space(.)='{title}']/@id]")
}

/// Whoever starts Baton for the first time: the terms, two accounts in the browser, Codex connected.
#[test]
fn the_first_run_leads_to_a_connected_codex_with_two_accounts() {
    on_a_screen(
        "window::the_first_run_leads_to_a_connected_codex_with_two_accounts",
        || async {
            let stage = Stage::empty([("a", 100.0), ("b", 100.0)]).await;
            let window = Window::open(&stage, "now").await;
            window.press("//button[contains(., 'I understand')]").await;
            stage.until(|now| now.preferences.terms_accepted).await;
            for (name, label, count) in [("a", "Personal", 1), ("b", "Work", 2)] {
                stage.sim.consent(baton_sim::Consent::Agrees(name.to_owned()));
                window.press("(//button[contains(., 'Add account')])[1]").await;
                let field = window
                    .sees("//dialog[@open]//input[@type='text' or not(@type)]")
                    .await;
                field.send_keys(label).await.expect("a label");
                window.press("//dialog[@open]//button[@type='submit']").await;
                stage.until(|now| now.accounts.len() == count).await;
                window
                    .press("//dialog[@open]//button[normalize-space(.)='Done']")
                    .await;
                window
                    .sees(&format!("//*[normalize-space(text())='{label}']"))
                    .await;
            }
            window.press("//button[contains(., 'Connect Codex')]").await;
            stage.until(|now| now.codex.homes.len() == 1).await;
            window.close().await;
            stage.baton.shutdown().await;
        },
    );
}

#[test]
fn what_is_chosen_in_the_window_holds_in_baton() {
    on_a_screen("window::what_is_chosen_in_the_window_holds_in_baton", || async {
        let (stage, window) = opened("now").await;
        window.press("//label[contains(., 'Balanced')]").await;
        stage.until(|now| now.strategy == Strategy::Balanced).await;
        window.button("Switch to Work").await;
        let work = stage.baton.snapshot().accounts[1].id;
        stage.until(|now| now.next_request.account() == Some(work)).await;

        window
            .press("//*[self::button or self::a][normalize-space(.)='Settings']")
            .await;
        window
            .press("//label[normalize-space(.)='Dark'] | //button[normalize-space(.)='Dark']")
            .await;
        stage
            .until(|now| now.preferences.appearance == Appearance::Dark)
            .await;

        // What happens elsewhere shows here.
        window
            .press("//*[self::button or self::a][normalize-space(.)='Activity']")
            .await;
        assert!(stage.client().turn("hello").await.completed);
        window.sees("//*[contains(text(), 'Work')]").await;
        window.close().await;
        stage.baton.shutdown().await;
    });
}
