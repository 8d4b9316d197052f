//! Connections: accepted within limits, with or without TLS, ended in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use prometheus::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::access::Access;
use super::actions::Actions;
use super::history::History;
use super::prompt::Prompt;
use super::routes::router;
use super::status::SharedStatus;
use super::tls::Tls;

/// Pause after the system has refused a connection, for example for want of files.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of what a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; more wait in the queue of the system.
    pub connections_max: usize,
    /// Time to make an answer, and time for the client to take it.
    pub request_timeout: Duration,
    /// Time for a TLS handshake, for the head of a request, and for a connection to be idle.
    pub head_timeout: Duration,
    /// Bytes of a body.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            request_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(15),
            body_bytes_max: 1 << 20,
        }
    }
}

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct App {
    /// State of the daemon.
    pub status: SharedStatus,
    /// What happened of late.
    pub history: History,
    /// Metrics.
    pub registry: Registry,
    /// What may be set in motion.
    pub actions: Actions,
    /// Who may do so.
    pub access: Access,
    /// Bounds.
    pub limits: Limits,
}

/// Answers requests on `listener` until `shutdown` is done and open answers are written.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let permits = Arc::new(Semaphore::new(app.limits.connections_max));
    let (graceful, limits) = (GracefulShutdown::new(), app.limits);
    let router = router(app);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            // Never closed, so there is always a permit to wait for.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, stream) = tokio::select! {
            (permit, accepted) = accepted => (permit, accepted),
            () = &mut shutdown => break,
        };
        let Ok((stream, _)) = stream else {
            // One client less is no reason to end; a listener that is gone fails again and again.
            tokio::time::sleep(REFUSED_PAUSE).await;
            continue;
        };
        // The certificate may be another one by now.
        let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls.now()));
        let (router, watcher) = (router.clone(), graceful.watcher());
        let stream = Prompt::new(nodelay(stream), limits.request_timeout);
        tokio::spawn(async move {
            connection(stream, tls, limits.head_timeout, (router, watcher)).await;
            drop(permit);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Answers are small and whole: waiting to fill packets only delays them.
fn nodelay(stream: TcpStream) -> TcpStream {
    let _ = stream.set_nodelay(true);
    stream
}

async fn connection(
    stream: Prompt<TcpStream>,
    tls: Option<TlsAcceptor>,
    head_timeout: Duration,
    to: (Router, Watcher),
) {
    match tls {
        None => talk(stream, head_timeout, to).await,
        Some(tls) => match tokio::time::timeout(head_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => talk(stream, head_timeout, to).await,
            Ok(Err(error)) => tracing::debug!("tls: {error}"),
            Err(_) => tracing::debug!("tls: no handshake in time"),
        },
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    head_timeout: Duration,
    (router, watcher): (Router, Watcher),
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A client that breaks off or talks nonsense is its own affair.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("http: {error}");
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
