//! Notices on the desktop, by whatever shows them there. Without such a service nothing is lost but the notice.

#[cfg(all(unix, not(target_os = "macos")))]
use std::sync::atomic::{AtomicUsize, Ordering};

use notify_rust::Notification;
use tokio::sync::mpsc;

use super::Notice;
use crate::tray::action::Action;

/// Notices that wait for a click, each on a thread that looks once a second: a service may keep them for ever.
#[cfg(all(unix, not(target_os = "macos")))]
const WAITING: usize = 2;
#[cfg(all(unix, not(target_os = "macos")))]
static NOW_WAITING: AtomicUsize = AtomicUsize::new(0);

#[cfg(any(test, all(unix, not(target_os = "macos"))))]
const OPEN: &str = "default";
#[cfg(any(test, all(unix, not(target_os = "macos"))))]
const BUTTON: &str = "button";

pub(crate) fn show(notice: Notice, clicks: mpsc::UnboundedSender<Action>) {
    let thread = std::thread::Builder::new().name("baton-notice".to_owned());
    if let Err(error) = thread.spawn(move || show_here(&notice, &clicks)) {
        tracing::debug!(%error, "a notification could not be shown");
    }
}

fn show_here(notice: &Notice, clicks: &mpsc::UnboundedSender<Action>) {
    let mut notification = Notification::new();
    notification
        .appname("Baton")
        .icon("baton-desktop")
        .summary(&notice.title)
        .body(&escaped(&notice.body));
    let shown = with_actions(&mut notification, notice).show();
    match shown {
        Ok(handle) => wait(handle, notice, clicks),
        // No service, or one that refuses.
        Err(error) => tracing::debug!(%error, "a notification could not be shown"),
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
fn with_actions<'a>(notification: &'a mut Notification, notice: &Notice) -> &'a mut Notification {
    notification.action(OPEN, "Open Baton");
    if let Some((text, _)) = notice.button {
        notification.action(BUTTON, text);
    }
    notification
}

#[cfg(all(unix, not(target_os = "macos")))]
fn wait(handle: notify_rust::NotificationHandle, notice: &Notice, clicks: &mpsc::UnboundedSender<Action>) {
    let waiting = Waiting::begin();
    if waiting.0 < WAITING {
        handle.wait_for_action(|clicked| {
            if let Some(action) = meant(notice, clicked) {
                let _ = clicks.send(action);
            }
        });
    }
}

/// One more, however its wait ends; and how many there were before.
#[cfg(all(unix, not(target_os = "macos")))]
struct Waiting(usize);

#[cfg(all(unix, not(target_os = "macos")))]
impl Waiting {
    fn begin() -> Self {
        Self(NOW_WAITING.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
impl Drop for Waiting {
    fn drop(&mut self) {
        NOW_WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Their notifications have no buttons without a registered application.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn with_actions<'a>(notification: &'a mut Notification, _: &Notice) -> &'a mut Notification {
    notification
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn wait<T>(_: T, _: &Notice, _: &mpsc::UnboundedSender<Action>) {}

#[cfg(any(test, all(unix, not(target_os = "macos"))))]
fn meant(notice: &Notice, clicked: &str) -> Option<Action> {
    match clicked {
        OPEN => Some(Action::Open(notice.place)),
        BUTTON => notice.button.map(|(_, action)| action),
        _ => None,
    }
}

/// Linux's services take the body for markup; a label may have anything in it.
fn escaped(text: &str) -> String {
    if cfg!(not(all(unix, not(target_os = "macos")))) {
        return text.to_owned();
    }
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use baton_engine::control::protocol::About;

    use super::*;
    use crate::window::Place;

    #[test]
    fn a_click_opens_the_window_at_the_right_place_and_the_button_does_what_it_says() {
        let notice = Notice {
            about: About::PinStopped,
            title: String::new(),
            body: String::new(),
            place: Place::Activity,
            button: Some(("Use the others too", Action::Unpin)),
        };
        assert_eq!(meant(&notice, OPEN), Some(Action::Open(Place::Activity)));
        assert_eq!(meant(&notice, BUTTON), Some(Action::Unpin));
        assert_eq!(meant(&notice, "__closed"), None);
    }

    #[test]
    fn a_label_is_no_markup() {
        assert_eq!(escaped("<b>R&D</b>"), "&lt;b&gt;R&amp;D&lt;/b&gt;");
    }
}
