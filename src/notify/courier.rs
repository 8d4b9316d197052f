//! Carries JSON over HTTP, and says what to do when it was not taken.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::SinkParams;
use super::address::url_fault;

/// Longest pause between two attempts.
const RETRY_MAX: Duration = Duration::from_secs(60);
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// Of an answer that refuses, so much is told.
const ANSWER_BYTES_MAX: u64 = 2_048;

/// Why a sink cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A file of certificates cannot be read or holds none.
    #[error("sink `{sink}`: certificates in {path} cannot be used: {why}", path = path.display())]
    Certificates {
        /// Sink.
        sink: String,
        /// As configured.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file with the address cannot be read, or holds none.
    #[error("sink `{sink}`: the address in {path} cannot be used: {why}", path = path.display())]
    Address {
        /// Sink.
        sink: String,
        /// As configured.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file with the token cannot be read.
    #[error("sink `{sink}`: {why}")]
    Token {
        /// Sink.
        sink: String,
        /// The file, and what is wrong.
        why: String,
    },
    /// The system has no thread to give.
    #[error("sink `{sink}`: no thread: {source}")]
    Thread {
        /// Sink.
        sink: String,
        /// System error.
        source: std::io::Error,
    },
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Carried {
    /// Taken.
    Ok,
    /// Not taken; another attempt may succeed.
    Again(String),
    /// Refused; the same request will be refused again.
    Refused(String),
}

/// One sink's connection.
#[derive(Debug)]
pub(super) struct Courier {
    agent: Agent,
    url: String,
    headers: Vec<(String, String)>,
    token_file: Option<PathBuf>,
    /// The address is one: no answer may repeat it into a log.
    secret: bool,
}

impl Courier {
    /// Posts to the address of `sink` with `path` behind it.
    ///
    /// # Errors
    ///
    /// [`NotifyError`]: files that are named and cannot be used.
    pub fn new(sink: &SinkParams, path: &str, timeout: Duration) -> Result<Self, NotifyError> {
        let url = match path {
            "" => address(sink)?,
            path => format!("{}{path}", address(sink)?.trim_end_matches('/')),
        };
        let mut tls = TlsConfig::builder();
        if let Some(path) = &sink.ca_file {
            let fault = |why| NotifyError::Certificates {
                sink: sink.name.clone(),
                path: path.clone(),
                why,
            };
            let pem = fs::read(path).map_err(|e| fault(e.to_string()))?;
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(&pem).map_err(fault)?));
        }
        let agent = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("latentd/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build()
            .into();
        let headers = sink.headers.clone().into_iter().collect();
        let (token_file, secret) = (sink.token_file.clone(), sink.url_file.is_some());
        Ok(Self { agent, url, headers, token_file, secret })
    }

    /// Posts `body`; `headers` beside those of the sink.
    pub fn post(&self, body: &[u8], headers: &[(&str, &str)]) -> Carried {
        let token = match self.token() {
            Ok(token) => token,
            Err(why) => return Carried::Again(why),
        };
        let mut request = self.agent.post(&self.url).content_type("application/json");
        for (name, value) in self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())) {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        match request.send(body) {
            Ok(mut answer) => {
                let status = answer.status().as_u16();
                let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
                let text = body.read_to_string().unwrap_or_default();
                judge(status, Some(text).filter(|_| !self.secret).as_deref())
            }
            Err(error) if self.secret => {
                Carried::Again(error.to_string().replace(&self.url, "the address of `url_file`"))
            }
            Err(error) => Carried::Again(error.to_string()),
        }
    }

    /// Read each time: tokens are replaced while processes run.
    pub(super) fn token(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = fs::read_to_string(path)
            .map_err(|error| format!("token file {}: {error}", path.display()))?;
        Ok(Some(text.trim().to_owned()))
    }
}

fn address(sink: &SinkParams) -> Result<String, NotifyError> {
    let Some(path) = &sink.url_file else { return Ok(sink.url.clone().unwrap_or_default()) };
    let fault = |why| NotifyError::Address { sink: sink.name.clone(), path: path.clone(), why };
    let url = fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    match url_fault(url.trim()) {
        // What is wrong is told, what it says is not.
        Some(why) => Err(fault(why.to_string())),
        None => Ok(url.trim().to_owned()),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|e| e.to_string())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err("there is none".to_owned()) } else { Ok(found) }
}

/// 2xx is taken; a server at fault, or one that asks for patience, may take it later.
fn judge(status: u16, answer: Option<&str>) -> Carried {
    let told = || match answer {
        Some(answer) => format!("status {status}: {}", answer.trim()),
        None => format!("status {status}"),
    };
    match status {
        200..=299 => Carried::Ok,
        // Credentials are replaced, too.
        401 | 403 | 408 | 425 | 429 | 500..=599 => Carried::Again(told()),
        _ => Carried::Refused(told()),
    }
}

/// Pauses between attempts: doubling, up to a minute, each cut by up to a half at random, so that
/// many processes do not come back at once.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
    rng: Xoshiro256Plus,
}

impl Pauses {
    pub fn new(seed: u64) -> Self {
        Self { next: RETRY_FIRST, rng: Xoshiro256Plus::seed_from_u64(seed) }
    }

    /// The pause after one more failure.
    pub fn after_failure(&mut self) -> Duration {
        let pause = self.next.mul_f64(self.rng.gen_range(0.5..=1.0));
        self.next = (self.next * 2).min(RETRY_MAX);
        pause
    }

    /// It works again.
    pub fn reset(&mut self) {
        self.next = RETRY_FIRST;
    }
}

/// What is wrong with a header of a sink.
pub fn header_fault(name: &str, value: &str) -> Option<&'static str> {
    let secrets = ["authorization", "token", "secret", "password", "api-key", "apikey", "cookie"];
    let lower = name.to_ascii_lowercase();
    if lower.parse::<HeaderName>().is_err() {
        return Some("is no name of a header");
    }
    if secrets.iter().any(|smell| lower.contains(smell)) {
        return Some("secrets do not belong in a settings file: use `token_file`");
    }
    let own = ["content-type", "content-length", "host", "user-agent", "latentd-event-id"];
    if own.contains(&lower.as_str()) {
        return Some("latentd sets it itself");
    }
    value.parse::<HeaderValue>().is_err().then_some("its value cannot be sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_checked_before_use() {
        #[rustfmt::skip]
        let headers = [
            ("X-Scope-OrgID", "plant", true), ("X Scope", "plant", false), ("Host", "a", false),
            ("Authorization", "Bearer x", false), ("X-Api-Key", "x", false), ("X-A", "a\nb", false),
        ];
        for (name, value, fine) in headers {
            assert_eq!(header_fault(name, value).is_none(), fine, "{name}");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_told_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("empty"), "").unwrap();
        std::fs::write(path("odd"), "ftp://user:word@host").unwrap();
        let cases = [
            (sink(None, Some(path("empty"))), "there is none"),
            (sink(None, Some(path("gone"))), "No such file"),
            (sink(Some(path("odd")), None), "names and passwords do not belong here"),
        ];
        for (sink, expected) in cases {
            let error = Courier::new(&sink, "", Duration::from_secs(1)).unwrap_err().to_string();
            assert!(error.starts_with("sink `hook`: "), "{error}");
            assert!(error.contains(expected) && !error.contains("word@"), "{error}");
        }
    }

    #[test]
    fn answers_say_whether_to_try_again() {
        assert_eq!(judge(202, Some("")), Carried::Ok);
        assert_eq!(judge(503, Some("busy\n")), Carried::Again("status 503: busy".into()));
        assert!(matches!(judge(429, None), Carried::Again(_)));
        let refused = Carried::Refused("status 400: bad label".into());
        assert_eq!(judge(400, Some("bad label")), refused);
        assert!(matches!(judge(302, Some("")), Carried::Refused(_)));
    }

    /// Many servers answer 404 with the path that they do not know.
    #[test]
    fn an_answer_that_repeats_a_secret_address_is_not_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/services/T0/s3cret", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        std::fs::write(&file, &url).unwrap();
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                echo_path(&mut stream);
            }
        });
        let post = |sink: SinkParams| {
            let courier = Courier::new(&sink, "", Duration::from_secs(60)).unwrap();
            courier.post(b"{}", &[])
        };
        let told = SinkParams { url: Some(url), url_file: None, ..sink(Some(file.clone()), None) };
        let said = "status 404: Cannot POST /services/T0/s3cret";
        assert_eq!(post(told), Carried::Refused(said.into()));
        assert_eq!(post(sink(Some(file), None)), Carried::Refused("status 404".into()));
        server.join().unwrap();
    }

    /// Answers one request as a server that does not know its path.
    fn echo_path(stream: &mut std::net::TcpStream) {
        use std::io::{BufRead as _, BufReader, Read as _, Write as _};
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            lines.push(line);
        }
        reader.read_exact(&mut [0; 2]).unwrap();
        let path = lines[0].split(' ').nth(1).unwrap();
        let body = format!("Cannot POST {path}");
        let head = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length";
        write!(stream, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    fn sink(url_file: Option<PathBuf>, ca_file: Option<PathBuf>) -> SinkParams {
        SinkParams {
            name: "hook".into(),
            kind: crate::notify::SinkKind::Webhook,
            url: url_file.is_none().then(|| "http://host".to_owned()),
            url_file,
            streams: Vec::new(),
            resend: None,
            timeout: None,
            token_file: None,
            ca_file,
            headers: [].into(),
            labels: [].into(),
        }
    }

    #[test]
    fn pauses_double_to_a_minute_and_differ() {
        let mut pauses = Pauses::new(7);
        let all: Vec<Duration> = (0..12).map(|_| pauses.after_failure()).collect();
        for (i, pause) in all.iter().enumerate() {
            let full = (RETRY_FIRST * (1 << i)).min(RETRY_MAX);
            assert!(full / 2 <= *pause && *pause <= full, "{i}: {pause:?}");
        }
        pauses.reset();
        assert!(pauses.after_failure() <= RETRY_FIRST);
        assert_ne!(Pauses::new(8).after_failure(), all[0]);
    }
}
