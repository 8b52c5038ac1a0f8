//! A small HTTP/1.1 client for the control API and the health pages: one request, one connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use envelope::Recipient;
use serde_json::Value;

use crate::deadline::PATIENCE;
use crate::keys::recipient;

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request with this method, such as `POST`.
    pub fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self {
            method,
            path,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A GET request.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST request with an empty body.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Adds a header field. `Host` is `localhost` unless one is given here.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives it a body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        body.as_ref().clone_into(&mut self.body);
        self
    }

    /// Sends it in clear to a port of 127.0.0.1.
    #[track_caller]
    pub fn send(&self, port: u16) -> Response {
        self.send_to(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Sends it in clear to this address.
    #[track_caller]
    pub fn send_to(&self, address: SocketAddr) -> Response {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
            .unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a positive timeout is taken");
        self.send_over(&mut stream)
    }

    /// Sends it over a stream, such as one of [`raw::tls`](crate::raw::tls), and reads to the end.
    #[track_caller]
    pub fn send_over(&self, stream: &mut (impl Read + Write)) -> Response {
        stream
            .write_all(&self.bytes())
            .unwrap_or_else(|error| panic!("sending: {error}"));
        stream
            .flush()
            .unwrap_or_else(|error| panic!("sending: {error}"));
        let mut received = Vec::new();
        // A TLS peer may end without saying so: what counts is whether the response is whole.
        let end = stream.read_to_end(&mut received);
        Response::parse(&received, self.method != "HEAD").unwrap_or_else(|| {
            let received = received.escape_ascii();
            panic!(
                "no whole response to {} {}: {end:?}, {received}",
                self.method, self.path
            )
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let given = |name: &str| {
            self.headers
                .iter()
                .any(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        if !given("host") {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!(
            "Connection: close\r\nContent-Length: {}\r\n\r\n",
            self.body.len()
        ));
        [head.as_bytes(), &self.body].concat()
    }
}

impl Response {
    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap_or_else(|error| panic!("a body that is no text: {error}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("a body that is no JSON: {error}: {self:?}"))
    }

    /// The public key that the control API handed out, to seal values to.
    #[track_caller]
    pub fn recipient(&self) -> Recipient {
        recipient(self.text()).unwrap_or_else(|| panic!("no public key for a writer: {self:?}"))
    }

    /// The value of a header field, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// An answer to HEAD has the header fields of a body and none.
    fn parse(received: &[u8], has_body: bool) -> Option<Self> {
        let end = received
            .windows(4)
            .position(|window| window == b"\r\n\r\n")?;
        let (head, rest) = received.split_at(end);
        let mut lines = str::from_utf8(head).ok()?.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .map(|line| line.split_once(':'))
            .map(|field| field.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())))
            .collect::<Option<Vec<_>>>()?;
        let mut response = Self {
            status,
            headers,
            body: rest.get(4..)?.to_vec(),
        };
        if !has_body {
            return response.body.is_empty().then_some(response);
        }
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = unchunk(&response.body)?;
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().ok()?;
            response.body = response.body.get(..length)?.to_vec();
        }
        Some(response)
    }
}

/// Joins the chunks of a body (RFC 9112, section 7.1).
fn unchunk(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = chunks.windows(2).position(|window| window == b"\r\n")?;
        let (size, rest) = chunks.split_at(line);
        let size = usize::from_str_radix(str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let (chunk, rest) = rest.get(2..)?.split_at_checked(size)?;
        body.extend(chunk);
        chunks = rest.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_with_a_length_is_taken_apart() {
        let received = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-A: b\r\n\r\n{}";
        let response = Response::parse(received, true).unwrap();
        assert_eq!((response.status, response.text()), (404, "{}"));
        assert_eq!(response.header("x-a"), Some("b"));
    }

    #[test]
    fn a_chunked_response_is_joined() {
        let received = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        assert_eq!(Response::parse(received, true).unwrap().text(), "abcd");
    }

    #[test]
    fn a_truncated_response_is_none() {
        let received = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}";
        assert_eq!(Response::parse(received, true), None);
    }

    #[test]
    fn a_response_to_head_has_no_body_whatever_it_says() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        assert!(Response::parse(head, false).unwrap().body.is_empty());
        assert_eq!(
            Response::parse(&[head, b"ok\n".as_slice()].concat(), false),
            None
        );
    }
}
