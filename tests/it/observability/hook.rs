//! An HTTP server that takes what is posted to it, or refuses it as told.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// One request.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Lower-case names.
    headers: Vec<(String, String)>,
    pub body: Value,
    pub status: u16,
}

impl Posted {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// The server; it runs until the test process ends.
pub struct Hook {
    pub url: String,
    requests: Arc<Mutex<Vec<Posted>>>,
}

impl Hook {
    /// Refuses the first `busy` requests with 503, and takes all others.
    pub fn start(busy: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let mut stream = BufReader::new(stream);
                // A client that is killed in the middle of a request has posted nothing.
                let Some((headers, body)) = request(&mut stream) else { continue };
                let mut seen = seen.lock().expect("not poisoned");
                let status = if seen.len() < busy { 503 } else { 200 };
                seen.push(Posted { headers, body, status });
                drop(seen);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                );
                let _ = stream.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { url, requests }
    }

    pub fn requests(&self) -> Vec<Posted> {
        self.requests.lock().expect("not poisoned").clone()
    }

    pub fn taken(&self) -> Vec<Posted> {
        self.requests().into_iter().filter(|posted| posted.status == 200).collect()
    }
}

fn request(stream: &mut impl BufRead) -> Option<(Vec<(String, String)>, Value)> {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((headers, serde_json::from_slice(&body).ok()?))
}
