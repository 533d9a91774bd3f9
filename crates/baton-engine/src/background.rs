//! What goes on beside the requests, each in a task that ends with the engine.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{desk::Desk, grants::Grants, store::Writer};

/// Changes of the pool are written together.
const SAVE_AFTER: Duration = Duration::from_millis(200);
/// Linked files that are wrong are looked at so often.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Keeps what the pool remembers.
pub(crate) async fn save(desk: Arc<Desk>, writer: Arc<Writer>, stopping: CancellationToken) {
    let mut changes = desk.changes();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(SAVE_AFTER) => {}
        }
        changes.mark_unchanged();
        writer.pool(desk.read(|pool, _| pool.clone()));
    }
}

/// Trouble of the keychain or the disk, and its end, shows on screens though no account changes.
pub(crate) async fn watch_trouble<T: Send + Sync>(
    mut problems: watch::Receiver<Option<T>>,
    desk: Arc<Desk>,
    stopping: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            changed = problems.changed() => if changed.is_err() { return },
        }
        desk.changed();
    }
}

/// Lets time pass: what recovers is told when it does, without a request. Sleeps until the next such moment.
pub(crate) async fn settle(desk: Arc<Desk>, stopping: CancellationToken) {
    let mut changes = desk.changes();
    loop {
        changes.mark_unchanged();
        let next = desk.read(|pool, now| pool.next_change(now).map(|at| at.since(now)));
        let until_next = async {
            match next {
                Some(wait) => {
                    tokio::time::sleep(desk.clock().real(wait).saturating_add(Duration::from_millis(1)))
                        .await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = until_next => desk.change(baton_core::Pool::settle),
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

/// Sees when the file of a linked account is right again, which no request may be there to find out. Sleeps while none is
/// wrong.
pub(crate) async fn watch_links(desk: Arc<Desk>, grants: Arc<Grants>, stopping: CancellationToken) {
    let mut changes = desk.changes();
    loop {
        changes.mark_unchanged();
        let waiting = !grants.waiting().is_empty();
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_AGAIN), if waiting => grants.look_again().await,
            changed = changes.changed(), if !waiting => if changed.is_err() { return },
        }
    }
}
