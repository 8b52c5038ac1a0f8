//! PostgreSQL's protocol by hand, for tests of every byte: a session that sends what it is told,
//! valid or not, and reads messages one by one.
//!
//! It blocks, and gives up on a silent peer after [`PATIENCE`]. Messages are built in [`message`];
//! passwords are proved in `login`; a session in TLS begins in [`tls`].

mod login;
pub mod message;
pub mod tls;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

pub use message::{Message, literal, rows, tags};

use crate::deadline::PATIENCE;

/// What a read met instead of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer closed or reset the connection.
    Closed,
    /// The peer sent nothing for the session's timeout.
    TimedOut,
}

/// A stream below a [`Session`]: TCP, or TLS over it.
pub trait Stream: Read + Write {
    /// The connection that carries it.
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for Box<dyn Stream> {
    fn tcp(&self) -> &TcpStream {
        self.as_ref().tcp()
    }
}

/// A connection that speaks PostgreSQL's protocol, or anything else it is made to.
#[derive(Debug)]
pub struct Session<S: Stream = TcpStream> {
    stream: S,
}

impl Session {
    /// Connects and sends nothing.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address)
            .unwrap_or_else(|error| panic!("connecting to {address}: {error}"))
    }

    /// [`connect`](Self::connect) from this address of the loopback, as if from another host.
    #[track_caller]
    pub fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let connected = socket(AddressFamily::INET, SocketType::STREAM, None).and_then(|tcp| {
            bind(&tcp, &SocketAddr::from((source, 0)))?;
            connect(&tcp, &address)?;
            Ok(TcpStream::from(tcp))
        });
        connected
            .map_err(io::Error::from)
            .and_then(Self::of)
            .unwrap_or_else(|error| panic!("connecting from {source} to {address}: {error}"))
    }

    /// [`connect`](Self::connect) where perhaps nobody listens.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        Self::of(TcpStream::connect_timeout(&address, PATIENCE)?)
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }
}

impl<S: Stream> Session<S> {
    /// A session over a stream that is connected already.
    pub fn over(stream: S) -> Self {
        Self { stream }
    }

    /// How long a read waits before it is [`Ended::TimedOut`].
    pub fn set_timeout(&self, timeout: Duration) {
        self.stream
            .tcp()
            .set_read_timeout(Some(timeout))
            .unwrap_or_else(|error| panic!("setting a timeout: {error}"));
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes)
            .unwrap_or_else(|error| panic!("sending: {error}"));
    }

    /// [`send`](Self::send) to a peer that may have hung up.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Ends the direction to the peer (a TCP half-close).
    pub fn finish(&mut self) {
        // A peer that hung up first has ended it as well.
        let _ = self.stream.tcp().shutdown(Shutdown::Write);
    }

    /// Reads one byte outside any message: the answer to `SSLRequest` and `GSSENCRequest`.
    pub fn read_byte(&mut self) -> Result<u8, Ended> {
        let mut byte = [0];
        self.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// Reads one message.
    pub fn read(&mut self) -> Result<Message, Ended> {
        let tag = self.read_byte()?;
        let mut length = [0; 4];
        self.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        let length = length
            .checked_sub(4)
            .and_then(|length| usize::try_from(length).ok());
        let length = length.unwrap_or_else(|| panic!("a message's length is under 4"));
        let mut body = vec![0; length];
        self.read_exact(&mut body)?;
        Ok(Message { tag, body })
    }

    /// Reads messages up to and with the next `ReadyForQuery`. Panics if the session ends before.
    #[track_caller]
    pub fn read_until_ready(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            match self.read() {
                Ok(message) => messages.push(message),
                Err(ended) => panic!("{ended:?} after {:?}", tags(&messages)),
            }
            if messages.last().is_some_and(|message| message.tag == b'Z') {
                return messages;
            }
        }
    }

    /// Reads messages until the peer closes the connection. Panics if it does not.
    #[track_caller]
    pub fn read_until_closed(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            match self.read() {
                Ok(message) => messages.push(message),
                Err(Ended::Closed) => return messages,
                Err(Ended::TimedOut) => panic!("still open after {:?}", tags(&messages)),
            }
        }
    }

    /// Reads bytes, whole messages or not, until the peer closes the connection. Panics if it does
    /// not; `case` is for the eyes of whoever reads that.
    #[track_caller]
    pub fn last_words(mut self, case: &str) -> Vec<u8> {
        let mut heard = Vec::new();
        let end = self.stream.read_to_end(&mut heard);
        match end.map_err(|error| ended(&error)) {
            Err(Ended::TimedOut) => {
                panic!("{case}: still open after \"{}\"", heard.escape_ascii())
            }
            Ok(_) | Err(Ended::Closed) => heard,
        }
    }

    /// Starts a session as user postgres in database postgres, where that needs no password, and
    /// returns the messages up to `ReadyForQuery`.
    #[track_caller]
    pub fn start(&mut self) -> Vec<Message> {
        self.send(message::startup(&[
            ("user", "postgres"),
            ("database", "postgres"),
        ]));
        self.read_until_ready()
    }

    /// Runs a simple query and returns the messages up to `ReadyForQuery`.
    #[track_caller]
    pub fn query(&mut self, sql: &str) -> Vec<Message> {
        self.send(message::query(sql));
        self.read_until_ready()
    }

    /// Hides what the session goes over, so that sessions over TCP and TLS can stand in one list.
    pub fn boxed(self) -> Session<Box<dyn Stream>>
    where
        S: 'static,
    {
        Session::over(Box::new(self.stream))
    }

    /// Runs a statement by the extended protocol, with a description of its result, and returns the
    /// messages up to `ReadyForQuery`. Results are in `format` (0 text, 1 binary).
    #[track_caller]
    pub fn extended(&mut self, sql: &str, format: u16) -> Vec<Message> {
        let batch = [
            message::parse("", sql),
            message::bind("", "", &[], format),
            message::describe_portal(""),
            message::execute("", 0),
            message::sync(),
        ];
        self.send(batch.concat());
        self.read_until_ready()
    }

    /// The stream below, such as for the certificates of its peer.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Gives the stream back, such as for a TLS handshake on it.
    pub fn into_stream(self) -> S {
        self.stream
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Ended> {
        self.stream
            .read_exact(buffer)
            .map_err(|error| ended(&error))
    }
}

fn ended(error: &io::Error) -> Ended {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Ended::TimedOut,
        _ => Ended::Closed,
    }
}
