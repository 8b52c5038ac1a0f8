//! A browser's tab that is kept open, and does what it is told: the Chrome DevTools Protocol over a pair
//! of pipes, a JSON object and a zero byte each.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use base64::prelude::{BASE64_STANDARD, Engine};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use crate::browser::{PROGRAM, is_there};
use crate::deadline::{PATIENCE, until};
use crate::dir::TestDir;
use crate::process::Process;
use crate::program::Program;

/// A screen of fewer CSS pixels is a telephone's.
const NARROW: u32 = 500;

/// An open tab. Dropping it ends its browser.
#[derive(Debug)]
pub struct Tab {
    commands: File,
    answers: Receiver<Value>,
    session: Value,
    last: u64,
    complaints: Vec<String>,
    _browser: Process,
    _dir: TestDir,
}

impl Tab {
    /// Opens a page in a browser of its own.
    #[track_caller]
    pub fn open(url: &str) -> Self {
        is_there();
        let dir = TestDir::new("tab");
        let (commands, answers) = (dir.join("commands"), dir.join("answers"));
        for pipe in [&commands, &answers] {
            let mode = Mode::RUSR | Mode::WUSR;
            mknodat(CWD, pipe, FileType::Fifo, mode, 0).expect("a new directory takes a pipe");
        }
        // The browser reads from file 3 and writes to file 4.
        let browser = Program::at("/bin/sh")
            .label("browser")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$COMMANDS\" 4>\"$ANSWERS\""])
            .args([
                PROGRAM,
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
                // Of a page of ours by TLS, no CA that it knows would sign the certificate.
                "--ignore-certificate-errors",
            ])
            .arg(format!("--user-data-dir={}", dir.join("profile").display()))
            .arg("about:blank")
            .env("COMMANDS", &commands)
            .env("ANSWERS", &answers)
            .start(&dir);
        let commands = open(OpenOptions::new().write(true), &commands);
        let answers = open(OpenOptions::new().read(true), &answers);
        let mut tab = Self {
            commands,
            answers: listen(answers),
            session: Value::Null,
            last: 0,
            complaints: Vec::new(),
            _browser: browser,
            _dir: dir,
        };
        let target = until("the browser to have a tab", || {
            let targets = tab.call("Target.getTargets", json!({}));
            let all = targets["targetInfos"].as_array()?;
            let page = all.iter().find(|it| it["type"] == "page")?;
            Some(page["targetId"].clone())
        });
        let attach = json!({ "targetId": target, "flatten": true });
        tab.session = tab.call("Target.attachToTarget", attach)["sessionId"].clone();
        for domain in ["Page", "Log", "Runtime"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab.go(url);
        tab
    }

    /// Goes to another page, and waits until it is there.
    #[track_caller]
    pub fn go(&mut self, url: &str) {
        let gone = self.call("Page.navigate", json!({ "url": url }));
        assert_eq!(gone["errorText"], Value::Null, "{url}");
        self.until("document.readyState === 'complete'");
    }

    /// What an expression of JavaScript is on the page.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", asked)["result"]["value"].clone()
    }

    /// Waits until an expression is true; on the next page too, where this one is left meanwhile.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        until(expression, || (self.eval(expression) == true).then_some(()));
    }

    /// What a promise of JavaScript comes to. It runs in a world of its own, after `script`: both see the
    /// page's elements, and neither its scripts nor what its policy lets scripts do.
    #[track_caller]
    pub fn eval_apart(&mut self, script: &str, promise: &str) -> Value {
        let tree = self.call("Page.getFrameTree", json!({}));
        let frame = &tree["frameTree"]["frame"]["id"];
        let world = self.call("Page.createIsolatedWorld", json!({ "frameId": frame }));
        let world = &world["executionContextId"];
        let asked = json!({ "expression": script, "contextId": world });
        self.call("Runtime.evaluate", asked);
        let asked = json!({
            "expression": promise, "contextId": world, "awaitPromise": true, "returnByValue": true
        });
        let answer = self.call("Runtime.evaluate", asked);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{promise}");
        answer["result"]["value"].clone()
    }

    /// Shows the page in so many CSS pixels, each of `density` squared, as a telephone does if it is narrow;
    /// and in the dark or not.
    #[track_caller]
    pub fn show(&mut self, width: u32, height: u32, density: u32, dark: bool) {
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": density, "mobile": width < NARROW
        });
        self.call("Emulation.setDeviceMetricsOverride", screen);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// A picture of what is shown, as PNG, without bars to scroll by.
    #[track_caller]
    pub fn picture(&mut self) -> Vec<u8> {
        self.call("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let data = picture["data"].as_str().expect("a picture is text");
        let decoded = BASE64_STANDARD.decode(data);
        decoded.expect("a picture is base64")
    }

    /// What the browser has complained of so far: scripts that failed, what a policy stopped.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut call = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_null() {
            call["sessionId"] = self.session.clone();
        }
        let message = format!("{call}\0");
        let sent = self.commands.write_all(message.as_bytes());
        sent.unwrap_or_else(|error| panic!("{method}: {error}"));
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let answer = answer.unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == self.last {
                return answer["result"].clone();
            }
            let what = answer["method"].as_str().unwrap_or_default();
            if matches!(what, "Log.entryAdded" | "Runtime.exceptionThrown") {
                self.complaints.push(answer["params"].to_string());
            }
        }
    }
}

/// Each end is open once the other is.
fn open(options: &OpenOptions, pipe: &Path) -> File {
    let opened = options.open(pipe);
    opened.unwrap_or_else(|error| panic!("{}: {error}", pipe.display()))
}

/// What comes, message by message, until the browser ends.
fn listen(answers: File) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for message in BufReader::new(answers).split(0) {
            let Ok(message) = message else { return };
            let Ok(message) = serde_json::from_slice(&message) else {
                return;
            };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}
