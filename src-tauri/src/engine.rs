//! Where views come from: an engine hosted here, or another Baton's, looked at through its control socket.

use std::path::PathBuf;

use tokio::sync::{oneshot, watch};

use crate::view::View;

/// The newest view, news of the next one, and an orderly end.
pub(crate) struct Source {
    views: watch::Receiver<View>,
    /// Dropped or sent: the task winds down.
    stop: oneshot::Sender<()>,
    task: tauri::async_runtime::JoinHandle<()>,
}

impl Source {
    pub(crate) fn view(&self) -> View {
        self.views.borrow().clone()
    }

    /// Waits for another view. False when there will be none.
    pub(crate) async fn changed(&mut self) -> bool {
        self.views.changed().await.is_ok()
    }

    /// Ends the source, and waits until it has.
    pub(crate) async fn close(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the engine's task did not end as it should");
        }
    }

    fn spawn<T>(run: impl FnOnce(watch::Sender<View>, oneshot::Receiver<()>) -> T) -> Self
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let (sender, views) = watch::channel(View::Starting);
        let (stop, stopped) = oneshot::channel();
        Self {
            views,
            stop,
            task: tauri::async_runtime::spawn(run(sender, stopped)),
        }
    }
}

/// Starts an engine in this process.
pub(crate) fn host(_data_dir: Option<PathBuf>) -> Source {
    Source::spawn(|views, stopped| async move {
        views.send_replace(View::Away);
        let _ = stopped.await;
    })
}

/// Looks at the Baton that runs with this data directory.
pub(crate) fn attach(_data_dir: Option<PathBuf>) -> Source {
    Source::spawn(|views, stopped| async move {
        views.send_replace(View::Away);
        let _ = stopped.await;
    })
}
