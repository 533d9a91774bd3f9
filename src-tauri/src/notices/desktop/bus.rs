//! Notifications over the session bus (freedesktop.org's Desktop Notifications Specification), by the connection that the
//! toolkit has already. Clicks come as signals to its loop: nothing waits for them, however long a notification stays.

use std::{cell::RefCell, collections::HashMap};

use gtk::{
    gio::{self, DBusCallFlags, DBusConnection, DBusSignalFlags},
    glib::{self, MainContext, ToVariant, Variant},
};
use tokio::sync::mpsc;

use super::{BUTTON, OPEN, meant};
use crate::{notices::Notice, tray::action::Action};

const SERVICE: &str = "org.freedesktop.Notifications";
const OBJECT: &str = "/org/freedesktop/Notifications";
const ANSWERS_WITHIN_MILLIS: i32 = 10_000;
const AS_THE_SERVICE_LIKES: i32 = -1;

/// Those that may still be clicked, by the service's numbers.
struct Shown {
    bus: DBusConnection,
    by_number: HashMap<u32, (Notice, mpsc::UnboundedSender<Action>)>,
}

thread_local! {
    /// Of the toolkit's thread.
    static SHOWN: RefCell<Option<Shown>> = const { RefCell::new(None) };
}

pub(super) fn show(notice: Notice, clicks: mpsc::UnboundedSender<Action>) {
    // Not by `invoke`, which calls on this thread whenever the loop is between two turns.
    glib::idle_add_once(move || {
        MainContext::default().spawn_local(async move {
            // No service, or one that refuses.
            if let Err(error) = show_here(notice, clicks).await {
                tracing::debug!(%error, "a notification could not be shown");
            }
        });
    });
}

async fn show_here(notice: Notice, clicks: mpsc::UnboundedSender<Action>) -> Result<(), glib::Error> {
    let bus = bus().await?;
    let mut actions = vec![OPEN, "Open Baton"];
    if let Some((text, _)) = notice.button {
        actions.extend([BUTTON, text]);
    }
    let hints: HashMap<&str, Variant> = HashMap::from([("desktop-entry", "baton-desktop".to_variant())]);
    let asked = (
        "Baton",
        0_u32,
        "baton-desktop",
        &notice.title,
        escaped(&notice.body),
        actions,
        hints,
        AS_THE_SERVICE_LIKES,
    );
    let answer = bus
        .call_future(
            Some(SERVICE),
            OBJECT,
            SERVICE,
            "Notify",
            Some(&asked.to_variant()),
            None,
            DBusCallFlags::NONE,
            ANSWERS_WITHIN_MILLIS,
        )
        .await?;
    if let Some(number) = answer.child_value(0).get() {
        with_shown(|shown| shown.by_number.insert(number, (notice, clicks)));
    }
    Ok(())
}

/// Listens from the first time on.
async fn bus() -> Result<DBusConnection, glib::Error> {
    if let Some(bus) = with_shown(|shown| shown.bus.clone()) {
        return Ok(bus);
    }
    let bus = gio::bus_get_future(gio::BusType::Session).await?;
    // Another one may have come first.
    if let Some(bus) = with_shown(|shown| shown.bus.clone()) {
        return Ok(bus);
    }
    SHOWN.with_borrow_mut(|shown| {
        *shown = Some(Shown {
            bus: bus.clone(),
            by_number: HashMap::new(),
        });
    });
    on(&bus, "ActionInvoked", |number, said| {
        let found = with_shown(|shown| shown.by_number.get(&number).cloned()).flatten();
        let Some((notice, clicks)) = found else {
            return;
        };
        let clicked: String = said.child_value(1).get().unwrap_or_default();
        if let Some(action) = meant(&notice, &clicked) {
            let _ = clicks.send(action);
        }
    });
    on(&bus, "NotificationClosed", |number, _| {
        with_shown(|shown| shown.by_number.remove(&number));
    });
    Ok(bus)
}

/// Calls with the number of the notification, and all that the service says of it.
fn on(bus: &DBusConnection, signal: &str, act: impl Fn(u32, &Variant) + 'static) {
    let told = move |_: &DBusConnection, _: &str, _: &str, _: &str, _: &str, said: &Variant| {
        if let Some(number) = said.child_value(0).get() {
            act(number, said);
        }
    };
    // For as long as the program runs.
    let _subscription = bus.signal_subscribe(
        Some(SERVICE),
        Some(SERVICE),
        Some(signal),
        Some(OBJECT),
        None,
        DBusSignalFlags::NONE,
        told,
    );
}

fn with_shown<T>(act: impl FnOnce(&mut Shown) -> T) -> Option<T> {
    SHOWN.with_borrow_mut(|shown| shown.as_mut().map(act))
}

/// The body is taken for markup; a label may have anything in it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_no_markup() {
        assert_eq!(escaped("<b>R&D</b>"), "&lt;b&gt;R&amp;D&lt;/b&gt;");
    }
}
