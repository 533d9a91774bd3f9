//! Notices on the desktop, by whatever shows them there. Without such a service nothing is lost but the notice.

#[cfg(target_os = "linux")]
mod bus;

#[cfg(not(target_os = "linux"))]
use notify_rust::Notification;
use tokio::sync::mpsc;

use super::Notice;
use crate::tray::action::Action;

/// What a click is called.
#[cfg(any(test, target_os = "linux"))]
const OPEN: &str = "default";
#[cfg(any(test, target_os = "linux"))]
const BUTTON: &str = "button";

#[cfg(target_os = "linux")]
pub(crate) fn show(notice: Notice, clicks: mpsc::UnboundedSender<Action>) {
    bus::show(notice, clicks);
}

/// Notifications have no buttons here without a registered application.
#[cfg(not(target_os = "linux"))]
pub(crate) fn show(notice: Notice, _: mpsc::UnboundedSender<Action>) {
    let showing = move || {
        let mut notification = Notification::new();
        notification
            .appname("Baton")
            .icon("baton-desktop")
            .summary(&notice.title)
            .body(&notice.body);
        if let Err(error) = notification.show() {
            tracing::debug!(%error, "a notification could not be shown");
        }
    };
    let thread = std::thread::Builder::new().name("baton-notice".to_owned());
    if let Err(error) = thread.spawn(showing) {
        tracing::debug!(%error, "a notification could not be shown");
    }
}

#[cfg(any(test, target_os = "linux"))]
fn meant(notice: &Notice, clicked: &str) -> Option<Action> {
    match clicked {
        OPEN => Some(Action::Open(notice.place)),
        BUTTON => notice.button.map(|(_, action)| action),
        _ => None,
    }
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
}
