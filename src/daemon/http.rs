//! The HTTP server of the daemon: its address, its means, its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::reload::{Reload, Renew};
use super::shutdown::{Signals, watch_signals};
use super::supervise::{notify_ready, notify_reload};
use super::{DaemonError, Options, Shutdown};
use crate::config::{ConfigError, Layers, Settings, TextFormat};
use crate::io::{OutMessage, SingleWriter};
use crate::web::{
    self, Access, Actions, App, ConfigFormat, ConfigProblem, Limits, Notice, NoticeKind, Tls,
    TlsError, Validate, WriteNotice, Written,
};

/// HTTP answers a few scrapers and people; the work is done elsewhere.
const HTTP_THREADS: usize = 2;
/// Threads of requests that wait for Kafka.
const WRITING_THREADS: usize = 4;
/// Longest wait for the acknowledgement of what a person says.
const WRITE_WAIT: Duration = Duration::from_secs(8);

/// What the settings say of the server, looked at before anything is started.
pub(super) struct Terms {
    address: SocketAddr,
    tls: Option<Tls>,
    pub access: Access,
    pub limits: Limits,
}

impl Terms {
    /// Reads token, certificate and key.
    pub fn of(settings: &Settings) -> Result<Self, DaemonError> {
        let http = &settings.http;
        let address = http.listen.parse().map_err(|_| DaemonError::Listen {
            address: http.listen.clone(),
            source: std::io::ErrorKind::InvalidInput.into(),
        })?;
        let tls = tls(settings)?;
        let limits = Limits {
            connections_max: http.connections_max,
            request_timeout: http.request_timeout.to_duration(),
            body_bytes_max: http.body_bytes_max,
            ..Limits::default()
        };
        let access = Access::new(http.token_file.as_deref(), address)?;
        Ok(Self { address, tls, access, limits })
    }

    /// Reads token, certificate and key anew and puts them in the place of the old ones; the answer is
    /// the keys whose files say something else. If one of them cannot be used, all stay.
    pub fn renewal(&self, settings: &Settings) -> Renew {
        let (access, shown, address) = (self.access.clone(), self.tls.clone(), self.address);
        let settings = settings.clone();
        Arc::new(move || {
            let token_file = settings.http.token_file.as_deref();
            let token = Access::new(token_file, address).map_err(|error| causes(&error))?;
            let fresh = tls(&settings).map_err(|error| causes(&error))?;
            let mut changed = Vec::new();
            if access.replace(&token) {
                changed.push("http.token_file".to_owned());
            }
            if let (Some(shown), Some(fresh)) = (&shown, &fresh)
                && shown.replace(fresh)
            {
                changed.push("http.tls_cert_file".to_owned());
            }
            Ok(changed)
        })
    }
}

/// What is wrong with the files of the server.
pub(super) fn faults(settings: &Settings) -> Vec<DaemonError> {
    let http = &settings.http;
    let token = http.listen.parse().ok().map(|at| Access::new(http.token_file.as_deref(), at));
    let token = token.and_then(Result::err).map(DaemonError::Access);
    token.into_iter().chain(tls(settings).err().map(DaemonError::Tls)).collect()
}

fn tls(settings: &Settings) -> Result<Option<Tls>, TlsError> {
    match (&settings.http.tls_cert_file, &settings.http.tls_key_file) {
        (Some(cert), Some(key)) => Tls::new(cert, key).map(Some),
        _ => Ok(None),
    }
}

/// An error and its causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(error.source(), |error| error.source());
    chain.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Binds the address before anything is read: an address in use is told at once.
pub(super) fn start(
    terms: Terms,
    app: App,
    options: &Options,
    reload: &Reload,
    shutdown: &Shutdown,
) -> Result<Runtime, DaemonError> {
    let refused = |source| DaemonError::Listen { address: terms.address.to_string(), source };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(HTTP_THREADS)
        .max_blocking_threads(WRITING_THREADS)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(DaemonError::Thread)?;
    let listener = runtime.block_on(TcpListener::bind(terms.address)).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    tracing::info!("http listening on {bound}");
    if let Some(listening) = &options.listening {
        // A caller that no longer wants to know is no fault.
        let _ = listening.send(bound);
    }
    runtime.spawn(web::serve(listener, terms.tls, app, shutdown.clone().requested()));
    if options.signals {
        catch_signals(&runtime, reload, shutdown)?;
    }
    Ok(runtime)
}

/// Signals are caught before the service manager is told that the process is up.
fn catch_signals(
    runtime: &Runtime,
    reload: &Reload,
    shutdown: &Shutdown,
) -> Result<(), DaemonError> {
    let _context = runtime.enter();
    let signals = Signals::catch().map_err(DaemonError::Signals)?;
    let (reload, stop) = (reload.clone(), shutdown.clone());
    runtime.spawn(watch_signals(signals, stop, move || {
        notify_reload();
        // What is wrong is logged and counted: a signal has no answer.
        let _ = reload.reload();
        notify_ready();
    }));
    Ok(())
}

/// The means that options bring, and those that every run has.
pub(super) fn actions(options: &Options, reload: &Reload) -> Actions {
    let mut actions = options.actions.clone();
    let reload = reload.clone();
    let again: web::Reload = Arc::new(move || match reload.reload() {
        Ok(changes) if changes.live.is_empty() => Ok("nothing has changed".to_owned()),
        Ok(changes) => Ok(format!("changed: {}", changes.live.join(", "))),
        Err(error) => Err(error.to_string()),
    });
    actions.reload.get_or_insert(again);
    actions.validate.get_or_insert_with(|| validate(BTreeMap::new()));
    actions
}

/// Checks configurations as `latentd check` does, with these environment variables, but opens no file:
/// whoever asks may not be who may read it.
pub fn validate(env: BTreeMap<String, String>) -> Validate {
    Arc::new(move |text, format| {
        let format = match format {
            ConfigFormat::Toml => TextFormat::Toml,
            ConfigFormat::Yaml => TextFormat::Yaml,
            ConfigFormat::Json => TextFormat::Json,
        };
        let layers = Layers::new().text(text, format, "the request");
        match layers.and_then(|layers| layers.environment(&env).settings()) {
            Ok(_) => Vec::new(),
            Err(ConfigError::Faults(faults)) => faults
                .iter()
                .map(|fault| ConfigProblem {
                    path: fault.path().to_owned(),
                    message: fault.to_string(),
                })
                .collect(),
            Err(error) => vec![ConfigProblem { path: String::new(), message: error.to_string() }],
        }
    })
}

/// Writes what people say to its topic, by a producer of its own: it must not wait for a transaction of
/// the pipeline, nor be part of one that fails.
pub(super) fn writer(settings: &Settings) -> WriteNotice {
    let (kafka, topics) = (settings.kafka.clone(), settings.topics.clone());
    // What is not written when the request ends must not be written afterwards.
    let wait = WRITE_WAIT.min(settings.http.request_timeout.to_duration().mul_f64(0.8));
    let opened: Mutex<Option<Arc<SingleWriter>>> = Mutex::new(None);
    Arc::new(move |notice: &Notice| {
        let writer = {
            // Opened by the first who writes: most processes never hear a word.
            let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
            match &*opened {
                Some(writer) => Arc::clone(writer),
                None => {
                    let writer = SingleWriter::open(&kafka, wait);
                    let writer = Arc::new(writer.map_err(|error| error.to_string())?);
                    Arc::clone(opened.insert(writer))
                }
            }
        };
        let topic = match notice.kind {
            NoticeKind::Verdict => &topics.feedback,
            NoticeKind::Maintenance => &topics.control,
        };
        let message = OutMessage {
            topic: topic.clone(),
            partition: None,
            key: Some(notice.key.clone().into_bytes()),
            payload: Some(notice.body.to_string().into_bytes()),
            headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        };
        match writer.write(&message) {
            Ok((partition, offset)) => Ok(Written { topic: topic.clone(), partition, offset }),
            Err(error) => Err(error.to_string()),
        }
    })
}
