//! Notices that the machine is in another network: its addresses have changed. The OS tells of it, so nothing wakes
//! while nothing does.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

/// A network comes with several addresses, and one that goes often comes back at once.
const QUIET: Duration = Duration::from_secs(1);

/// Tells `moved` whenever this machine is in another network, until `stopping`.
pub(crate) async fn watch(moved: Arc<Notify>, stopping: CancellationToken) {
    if let Some(changes) = from_os() {
        stopping.run_until_cancelled(follow(changes, moved)).await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Here(IpAddr),
    Gone(IpAddr),
}

/// Tells `moved` of each other network, until the OS tells no more. The addresses that are there already come as changes
/// too, and are none.
async fn follow(mut changes: impl Stream<Item = Change> + Unpin, moved: Arc<Notify>) {
    let mut before = None;
    let mut here = BTreeSet::new();
    while let Some(change) = changes.next().await {
        note(&mut here, change);
        loop {
            tokio::select! {
                change = changes.next() => match change {
                    Some(change) => note(&mut here, change),
                    None => return,
                },
                () = sleep(QUIET) => break,
            }
        }
        let known = before.replace(here.clone());
        // Without any address nobody can be reached: it is told of with the next one, which may be the same in another place.
        if !here.is_empty() && known.is_some_and(|known| known != here) {
            moved.notify_one();
        }
    }
}

fn note(here: &mut BTreeSet<IpAddr>, change: Change) {
    match change {
        Change::Here(address) if leads_out(address) => here.insert(address),
        Change::Gone(address) => here.remove(&address),
        Change::Here(_) => false,
    };
}

/// Neither this machine's own nor one that every cable has.
fn leads_out(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => address != Ipv6Addr::LOCALHOST && !address.is_unicast_link_local(),
    }
}

/// As the OS tells of them. Where it can't, a change is noticed by reads that get no answer.
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
fn from_os() -> Option<impl Stream<Item = Change> + Send + Unpin> {
    use std::future::ready;

    use if_watch::{IfEvent, tokio::IfWatcher};

    let unwatched = |error: std::io::Error| tracing::info!(%error, "changes of the network aren't noticed");
    let watcher = IfWatcher::new().map_err(unwatched).ok()?;
    // One error is the last: there is no socket any more.
    let told = watcher.scan((), move |(), event| {
        ready(event.map_err(unwatched).ok().map(|event| match event {
            IfEvent::Up(net) => Change::Here(net.addr()),
            IfEvent::Down(net) => Change::Gone(net.addr()),
        }))
    });
    Some(told)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn from_os() -> Option<futures_util::stream::Pending<Change>> {
    None
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::{
        Change::{Gone, Here},
        *,
    };

    struct Network {
        told: UnboundedSender<Change>,
        moved: Arc<Notify>,
    }

    impl Network {
        /// At home, with what every machine has besides.
        async fn home() -> Self {
            let (told, mut changes) = unbounded_channel();
            let moved = Arc::new(Notify::new());
            let changes = futures_util::stream::poll_fn(move |cx| changes.poll_recv(cx));
            tokio::spawn(follow(changes, Arc::clone(&moved)));
            let network = Self { told, moved };
            let first = ["127.0.0.1", "::1", "fe80::1", "192.168.1.7"].map(|address| Here(ip(address)));
            assert!(!network.moves(&first).await, "it has been here all along");
            network
        }

        /// Whether that is another network, once it is quiet.
        async fn moves(&self, changes: &[Change]) -> bool {
            for change in changes {
                self.told.send(*change).unwrap();
            }
            sleep(2 * QUIET).await;
            self.moved.notified().now_or_never().is_some()
        }
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn another_address_is_another_network() {
        let network = Network::home().await;
        let (home, office) = (ip("192.168.1.7"), ip("10.0.0.9"));
        assert!(network.moves(&[Gone(home), Here(office)]).await);
        assert!(network.moves(&[Here(ip("10.8.0.2"))]).await, "a tunnel");
        assert!(network.moves(&[Gone(ip("10.8.0.2"))]).await, "and its end");
    }

    #[tokio::test(start_paused = true)]
    async fn what_leads_nowhere_or_is_back_at_once_is_none() {
        let network = Network::home().await;
        let home = ip("192.168.1.7");
        assert!(!network.moves(&[Here(ip("127.0.0.2")), Here(ip("fe80::2"))]).await);
        assert!(!network.moves(&[Gone(ip("127.0.0.2"))]).await);
        assert!(!network.moves(&[Gone(home), Here(home)]).await);
        assert!(!network.moves(&[Here(home)]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_was_gone_for_a_while_is_told_of_when_there_is_one_again() {
        let network = Network::home().await;
        let home = ip("192.168.1.7");
        assert!(!network.moves(&[Gone(home)]).await);
        assert!(
            network.moves(&[Here(home)]).await,
            "many networks give this address"
        );
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_os_tells_which_addresses_there_are() {
        let mut told = from_os().expect("a socket to ask by");
        let first = told.next().await;
        assert!(matches!(first, Some(Here(_))), "{first:?}");
    }
}
