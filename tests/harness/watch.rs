//! What a server tells for as long as somebody listens: `GET /v1/watch`.

use std::io::{BufRead, BufReader, Write};
use std::time::Instant;

use serde_json::Value;

use crate::ca::Identity;
use crate::deadline::PATIENCE;
use crate::raw::tls::{Hello, TlsStream};

/// A peer's connection to `GET /v1/watch`, line by line.
#[derive(Debug)]
pub struct Watch(BufReader<TlsStream>);

impl Watch {
    /// Asks the server at this port of 127.0.0.1, as whoever holds `identity`.
    #[track_caller]
    pub fn start(identity: &Identity, port: u16) -> Self {
        let session = Hello::from(identity).alpn(&["http/1.1"]).connect(port);
        let session = session.unwrap_or_else(|error| panic!("the control API: {error}"));
        let mut stream = session.into_stream();
        stream
            .write_all(b"GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap_or_else(|error| panic!("asking for news: {error}"));
        Self(BufReader::new(stream))
    }

    /// The next line of JSON; none when the connection has ended. What HTTP puts around it is
    /// passed over.
    #[track_caller]
    pub fn news(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line) {
                Ok(1..) if line.starts_with('{') => {
                    let news = serde_json::from_str(&line);
                    return Some(news.unwrap_or_else(|error| panic!("{line}: {error}")));
                }
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// Reads until the server's standing is like this, and gives it, and when it was told.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&Value) -> bool) -> (Value, Instant) {
        let end = Instant::now() + PATIENCE;
        let mut last = None;
        while let Some(mut news) = self.news() {
            let now = Instant::now();
            let standing = news["standing"].take();
            if !standing.is_null() {
                if is_so(&standing) {
                    return (standing, now);
                }
                last = Some(standing);
            }
            assert!(now < end, "gave up waiting for {what}; it stands {last:?}");
        }
        panic!("the news ended while waiting for {what}; it stood {last:?}");
    }
}
