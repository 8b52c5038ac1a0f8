//! A database that follows scripts, for what no PostgreSQL sends; and a server and a connector
//! before it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use harness::raw::message;
use harness::{Connector, Keys, PATIENCE, Server};

/// How much more memory the programs may have used in the end, in bytes.
const ROOM: u64 = 8 << 20;

/// One connection to the database, as the script has it.
#[derive(Clone)]
pub struct Script {
    pub name: String,
    /// Whether it speaks after the first that it hears, a start-up packet or a request for TLS;
    /// otherwise it hears the application's query first.
    at_once: bool,
    says: Vec<u8>,
    /// Whether it hangs up then; otherwise it waits until the server does.
    closes: bool,
}

impl Script {
    pub fn new(name: &str, says: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            at_once: false,
            says: says.to_vec(),
            closes: false,
        }
    }

    pub fn at_once(name: &str, says: &[u8]) -> Self {
        Self {
            at_once: true,
            ..Self::new(name, says)
        }
    }

    /// All that it says.
    pub fn says(&self) -> &[u8] {
        &self.says
    }

    pub fn then_closes(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }
}

/// A server and a connector before a database that follows a script for each connection, in their
/// order.
pub struct Stand {
    connector: Connector,
    server: Server,
    peaks: [u64; 2],
    database: JoinHandle<()>,
    _keys: Keys,
}

impl Stand {
    pub fn start(scripts: Vec<Script>, lines: &[&str]) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        Self::with_keys(keys, scripts, lines)
    }

    /// [`start`](Self::start) with a store that has the client `app` already.
    pub fn with_keys(keys: Keys, scripts: Vec<Script>, lines: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let identity = keys.server_identity("primary");
        let server = Server::start("server", &identity, &keys, &address, lines);
        let identity = keys.client_identity("app");
        let connector = Connector::start("connector", &identity, server.port(), &[]);
        let peaks = [server.process(), connector.process()].map(|process| process.peak_memory());
        let database = thread::spawn(move || {
            thread::scope(|scope| {
                for (script, stream) in scripts.iter().zip(listener.incoming()) {
                    let stream = stream.unwrap();
                    // The server may hang up before it has heard all.
                    scope.spawn(|| follow(script, stream));
                }
            });
        });
        Self {
            connector,
            server,
            peaks,
            database,
            _keys: keys,
        }
    }

    /// Logs in and asks something, and gives all that comes until the session is closed.
    pub fn ask(&self, case: &str) -> Vec<u8> {
        let mut session = self.connector.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        // It may be over already.
        let _ = session.try_send(message::query("select 1"));
        session.last_words(case)
    }

    /// The same, and says goodbye at once; so what comes is the database's alone.
    pub fn ask_and_leave(&self, case: &str) -> Vec<u8> {
        self.ask_and_leave_with(case, "select 1")
    }

    /// The same, with this question.
    pub fn ask_and_leave_with(&self, case: &str, sql: &str) -> Vec<u8> {
        let mut session = self.connector.address().raw();
        let asks = [
            message::startup(&[("user", "postgres")]),
            message::query(sql),
            message::terminate(),
        ];
        session.send(asks.concat());
        session.last_words(case)
    }

    /// Waits until the server's log has a line with this, and gives the line.
    pub fn server_says(&self, text: &str) -> String {
        self.server.process().wait_for_line(text)
    }

    /// All scripts have been followed, and nothing has happened to the programs.
    pub fn ends_unharmed(self) {
        self.database.join().unwrap();
        assert_eq!(self.server.ops("/metrics").status, 200);
        let programs = [self.server.process(), self.connector.process()];
        for (process, before) in programs.into_iter().zip(self.peaks) {
            assert_eq!(process.ended(), None);
            assert!(!process.panicked());
            let grown = process.peak_memory() - before;
            assert!(grown < ROOM, "{grown} bytes more than before: {process:?}");
        }
    }
}

fn follow(script: &Script, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    hear(&mut stream)?;
    if !script.at_once {
        stream.read_exact(&mut [0])?;
        hear(&mut stream)?;
    }
    stream.write_all(&script.says)?;
    if script.closes {
        stream.shutdown(Shutdown::Write)?;
    }
    // Whoever hangs up with something unread takes back what he has said.
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

/// Reads a length and as much as it says.
fn hear(stream: &mut TcpStream) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let rest = u32::from_be_bytes(length).saturating_sub(4);
    io::copy(&mut stream.take(rest.into()), &mut io::sink())?;
    Ok(())
}
