//! The signals that ask a process to stop.

use std::future::Future;

/// Ends when the process is asked to stop: by ctrl-c, or by SIGTERM where there is such a thing.
///
/// It listens from the call on, not from the first poll: a signal that comes while a worker
/// recovers its instances drains the worker as soon as it runs, instead of killing it. For programs
/// that stop for reasons of their own as well; [`Worker::run`](super::Worker::run) listens by
/// itself.
///
/// # Panics
/// Outside a tokio runtime.
///
/// ```ignore
/// let signal = shutdown_signal();
/// worker.run_until(async { tokio::select! { () = job => {}, () = signal => {} } }).await?;
/// ```
pub fn shutdown_signal() -> impl Future<Output = ()> + Send {
    #[cfg(unix)]
    {
        use tokio::signal::unix::SignalKind;
        let interrupt = listen(SignalKind::interrupt(), "ctrl-c");
        let terminate = listen(SignalKind::terminate(), "SIGTERM");
        async move {
            tokio::select! {
                () = interrupt => {}
                () = terminate => {}
            }
        }
    }
    #[cfg(not(unix))]
    async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!("cannot listen for ctrl-c: {error}");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
fn listen(
    kind: tokio::signal::unix::SignalKind,
    name: &'static str,
) -> impl Future<Output = ()> + Send {
    let signals = tokio::signal::unix::signal(kind)
        .inspect_err(|error| tracing::error!("cannot listen for {name}: {error}"));
    async move {
        match signals {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    }
}
