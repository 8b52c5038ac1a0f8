//! Long results, read and forgotten: by a client that costs as little as can be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::Address;
use harness::raw::{Session, message};

/// Rows of the table `bulk`, of 200 bytes and a number each.
pub const ROWS: u32 = 100_000;

/// What was read of one long result, asked for again and again.
pub struct Bulk {
    /// How often it came.
    pub results: u32,
    /// All bytes of all answers.
    pub bytes: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Asks so again and again, for this long, and the last time to the answer's end.
pub fn ask(port: u16, request: &[u8], time: Duration) -> Bulk {
    let mut session = Session::connect(Address::local(port).socket());
    session.start();
    let mut stream = session.into_stream();
    let mut buffer = vec![0; 256 * 1024];
    let begun = Instant::now();
    let mut bulk = Bulk {
        results: 0,
        bytes: 0.0,
        seconds: 0.0,
    };
    while begun.elapsed() < time {
        bulk.bytes += result(&mut stream, request, &mut buffer);
        bulk.results += 1;
    }
    bulk.seconds = begun.elapsed().as_secs_f64();
    let ended = stream.write_all(&message::terminate());
    ended.unwrap_or_else(|error| panic!("ending a session: {error}"));
    bulk
}

/// Bytes of the answer, up to the last of `ReadyForQuery`.
fn result(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> f64 {
    let asked = stream.write_all(request);
    asked.unwrap_or_else(|error| panic!("asking for a long result: {error}"));
    let mut answer = Answer::default();
    let mut bytes = 0.0;
    while !answer.ended {
        let read = stream.read(buffer);
        let read = read.unwrap_or_else(|error| panic!("a long result: {error}"));
        assert!(read > 0, "a long result ends too early");
        answer.take(&buffer[..read]);
        bytes += f64::from(u32::try_from(read).expect("a buffer is short"));
    }
    assert!(
        !answer.failed,
        "who asks for a long result is told of an error"
    );
    bytes
}

/// Where in its messages an answer is.
#[derive(Default)]
struct Answer {
    /// Of a message whose header has not come whole.
    header: Vec<u8>,
    /// What is left of the message that has begun.
    left: usize,
    tag: u8,
    ended: bool,
    failed: bool,
}

impl Answer {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let passed = self.left.min(bytes.len());
            self.left -= passed;
            bytes = &bytes[passed..];
            if self.left == 0 {
                self.ended |= self.tag == b'Z';
                let wanted = (5 - self.header.len()).min(bytes.len());
                self.header.extend_from_slice(&bytes[..wanted]);
                bytes = &bytes[wanted..];
                if let [tag, a, b, c, d] = self.header[..] {
                    self.tag = tag;
                    self.failed |= tag == b'E';
                    // The length counts itself, of four bytes.
                    let length = u32::from_be_bytes([a, b, c, d]) - 4;
                    self.left = usize::try_from(length).expect("a length is an index");
                    self.header.clear();
                }
            }
        }
        self.ended |= self.left == 0 && self.header.is_empty() && self.tag == b'Z';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_last_byte_wherever_it_is_cut() {
        let rows = [
            message::tagged(b'D', &[b'Z'; 40]),
            message::tagged(b'C', b""),
        ]
        .concat();
        let all = [rows, message::tagged(b'Z', b"I")].concat();
        for cut in 1..all.len() {
            let mut answer = Answer::default();
            answer.take(&all[..cut]);
            assert!(!answer.ended, "cut at {cut}");
            answer.take(&all[cut..]);
            assert!(answer.ended && !answer.failed, "cut at {cut}");
        }
        let mut answer = Answer::default();
        answer.take(&message::tagged(b'E', b"\0"));
        assert!(answer.failed);
    }
}
