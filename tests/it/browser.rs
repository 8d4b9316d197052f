//! Chromium without a window, spoken to by its DevTools protocol.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::wait_for;

const LIMIT: Duration = Duration::from_secs(60);

/// The command of the browser.
pub fn command() -> &'static str {
    let there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let browser = ["chromium", "google-chrome"].into_iter().find(there);
    browser.expect("tests/run installs chromium")
}

/// A browser with one page; it ends with this value.
pub struct Browser {
    child: Child,
    commands: File,
    answers: BufReader<File>,
    session: Option<String>,
    sent: u64,
    _folder: TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let pipe = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").args([pipe("to"), pipe("from")]).status();
        assert!(made.expect("mkfifo runs").success());
        // The protocol is spoken on the file descriptors 3 and 4.
        let script = r#"cd "$1" && exec "$2" --headless --no-sandbox --disable-gpu \
            --user-data-dir=profile --remote-debugging-pipe about:blank 3<to 4>from 2>log"#;
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([folder.path().as_os_str(), command().as_ref()])
            .stdout(Stdio::null())
            .spawn()
            .expect("sh starts");
        let commands = OpenOptions::new().write(true).open(pipe("to")).expect("a pipe");
        let answers = BufReader::new(File::open(pipe("from")).expect("a pipe"));
        let (session, sent) = (None, 0);
        let mut browser = Self { child, commands, answers, session, sent, _folder: folder };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        browser
    }

    /// Calls a method and waits for its result; events are passed over.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        write!(self.commands, "{message}\0").expect("the browser listens");
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).expect("the browser answers");
            assert_eq!(answer.pop(), Some(0), "the browser has ended");
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == self.sent {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let call = json!({"expression": expression, "returnByValue": true});
        let result = self.call("Runtime.evaluate", call);
        assert!(result.get("exceptionDetails").is_none(), "{result}");
        result["result"]["value"].clone()
    }

    /// Shows a page in a window so many pixels wide, and waits until it is whole.
    pub fn show(&mut self, url: &str, width: u32) {
        let (height, mobile) = (900, width < 500);
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.value("window.before = true");
        let gone = self.call("Page.navigate", json!({"url": url}));
        assert!(gone.get("errorText").is_none(), "{url}: {gone}");
        let whole = "window.before === undefined && document.readyState === 'complete'";
        wait_for(url, LIMIT, || (self.value(whole) == true).then_some(()));
    }

    /// Presses the tabulator key.
    pub fn tab(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let key =
                json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            self.call("Input.dispatchKeyEvent", key);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
