//! A database that lies: what comes from its side is not trusted either. The application gets what
//! was whole, and then one error or a closed connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use harness::raw::{message, tags};
use harness::{Connector, Keys, PATIENCE, Random, Server, rounds};

use super::{LENGTHS, messages};

/// How much more memory the programs may have used in the end, in bytes.
const ROOM: u64 = 8 << 20;

/// One connection to the database, as the script has it.
#[derive(Clone)]
struct Script {
    name: String,
    /// Whether it speaks after the first that it hears, a start-up packet or a request for TLS;
    /// otherwise it hears the application's query first.
    at_once: bool,
    says: Vec<u8>,
    /// Whether it hangs up then; otherwise it waits until the server does.
    closes: bool,
}

impl Script {
    fn new(name: &str, says: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            at_once: false,
            says: says.to_vec(),
            closes: false,
        }
    }

    fn at_once(name: &str, says: &[u8]) -> Self {
        Self {
            at_once: true,
            ..Self::new(name, says)
        }
    }

    fn then_closes(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }
}

/// A server and a connector before a database that follows one script after the other.
struct Stand {
    connector: Connector,
    server: Server,
    peaks: [u64; 2],
    database: JoinHandle<()>,
    _keys: Keys,
}

impl Stand {
    fn start(scripts: Vec<Script>, lines: &[&str]) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let identity = keys.server_identity("primary");
        let server = Server::start("server", &identity, &keys, &address, lines);
        let identity = keys.client_identity("app");
        let connector = Connector::start("connector", &identity, server.port(), &[]);
        let peaks = [server.process(), connector.process()].map(|process| process.peak_memory());
        let database = thread::spawn(move || {
            for (script, stream) in scripts.iter().zip(listener.incoming()) {
                // The server may hang up before it has heard all.
                let _ = follow(script, stream.unwrap());
            }
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
    fn ask(&self, case: &str) -> Vec<u8> {
        let mut session = self.connector.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        // It may be over already.
        let _ = session.try_send(message::query("select 1"));
        session.last_words(case)
    }

    /// All scripts have been followed, and nothing has happened to the programs.
    fn is_unharmed(self) {
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
    if !script.closes {
        io::copy(&mut stream, &mut io::sink())?;
    }
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

/// Lets an application in.
fn login() -> Vec<u8> {
    [
        message::tagged(b'R', &[0; 4]),
        message::tagged(b'K', &[1; 8]),
        message::tagged(b'Z', b"I"),
    ]
    .concat()
}

/// `RowDescription` of one column of this type, in text.
fn described(type_oid: u32) -> Vec<u8> {
    let mut body = b"\0\x01c\0\0\0\0\0\0\0".to_vec();
    body.extend(type_oid.to_be_bytes());
    body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    message::tagged(b'T', &body)
}

const BYTEA: u32 = 17;
const TEXT: u32 = 25;

/// A `DataRow` of one field that announces `length` and has two bytes.
fn row(count: u16, length: i32) -> Vec<u8> {
    let body = [&count.to_be_bytes(), &length.to_be_bytes()[..], b"ab"].concat();
    message::tagged(b'D', &body)
}

/// An `ErrorResponse` that ends the session.
fn fatal(code: &str) -> Vec<u8> {
    let body = format!("SFATAL\0VFATAL\0C{code}\0Mthe database says so\0\0");
    message::tagged(b'E', body.as_bytes())
}

/// What the application gets: the types of the messages, and the SQLSTATE of the last.
type Expected = (&'static str, Option<&'static str>);

const GARBLED: Option<&str> = Some("08P01");
const GONE: Option<&str> = Some("57P01");

/// Ways to say something unfit, and what is to come of them.
fn lies() -> Vec<(Script, Expected)> {
    let after = |prefix: &[u8], says: &[u8]| [login().as_slice(), prefix, says].concat();
    let (bytea, text) = (described(BYTEA), described(TEXT));
    let offer = |body: &[u8]| message::tagged(b'R', &[&[0, 0, 0, 10], body].concat());
    let whole = |name, says: Vec<u8>| Script::new(name, &says);
    let cut = |name, says: Vec<u8>| Script::new(name, &says).then_closes();
    let fine = [
        row(1, 2),
        message::tagged(b'C', b"SELECT 1\0"),
        message::tagged(b'Z', b"I"),
    ]
    .concat();
    vec![
        (cut("no word", vec![]), ("E", GONE)),
        (
            whole("a page", b"HTTP/1.1 400 Bad Request\r\n\r\n".into()),
            ("E", GARBLED),
        ),
        (
            whole("an empty authentication", message::tagged(b'R', b"")),
            ("E", GARBLED),
        ),
        (
            whole("only PLUS on offer", offer(b"SCRAM-SHA-256-PLUS\0\0")),
            ("E", GARBLED),
        ),
        (
            whole("an offer without an end", offer(b"SCRAM-SHA-256-PLUS\0")),
            ("E", GARBLED),
        ),
        (
            whole(
                "an offer with more behind it",
                offer(b"SCRAM-SHA-256\0\0more"),
            ),
            ("E", GARBLED),
        ),
        (
            whole("a field of -2 bytes", after(&bytea, &row(1, -2))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field of 3 bytes in 2", after(&bytea, &row(1, 3))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field of 2 GB in 2", after(&bytea, &row(1, i32::MAX))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field of 1 byte in 2", after(&bytea, &row(1, 1))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a field too few", after(&bytea, &row(2, 2))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("65,535 fields", after(&bytea, &row(u16::MAX, 2))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("an empty row", after(&bytea, &message::tagged(b'D', b""))),
            ("RKZTE", GARBLED),
        ),
        (
            whole("a lie never described", after(b"", &row(1, 3))),
            ("RKZE", GARBLED),
        ),
        (
            cut("half a row", after(&bytea, &row(1, 2)[..9])),
            ("RKZTE", GONE),
        ),
        (
            cut("half a header", after(&bytea, b"D\0\0")),
            ("RKZTE", GONE),
        ),
        // It is on its way already: nothing can be put behind its half.
        (
            cut("half a message that passes", after(&text, &row(1, 2)[..9])),
            ("RKZT", None),
        ),
        // Passed on as they came: what is in them is between the database and the application.
        (
            cut(
                "a description cut short",
                after(&message::tagged(b'T', b"\0\x02c\0"), &fine),
            ),
            ("RKZTDCZE", GONE),
        ),
        (
            cut("a row that nobody opens", after(&text, &row(1, 3))),
            ("RKZTDE", GONE),
        ),
        (
            cut(
                "a key of two bytes",
                [message::tagged(b'K', b"ab"), login()].concat(),
            ),
            ("KRKZE", GONE),
        ),
        (
            cut(
                "readiness without a status",
                after(b"", &message::tagged(b'Z', b"")),
            ),
            ("RKZZE", GONE),
        ),
        (
            cut(
                "answers to nothing",
                after(
                    b"",
                    &["1", "2", "3", "n", "s", "I", "t", "G", "H", "W", "c", "?"]
                        .map(|tag| message::tagged(tag.as_bytes()[0], b""))
                        .concat(),
                ),
            ),
            ("RKZ123nsItGHWc?E", GONE),
        ),
        (
            cut("its own last word", after(b"", &fatal("57P03"))),
            ("RKZE", Some("57P03")),
        ),
    ]
}

#[test]
fn a_lying_database_ends_the_session_with_one_error_in_its_place() {
    let lies = lies();
    let scripts = lies.iter().map(|(script, _)| script.clone()).collect();
    let stand = Stand::start(scripts, &[]);
    for (script, (types, sqlstate)) in lies {
        let mut heard = stand.ask(&script.name);
        if sqlstate.is_none() {
            // Up to the message that was cut off.
            let half = heard.len() - 9;
            assert_eq!(heard.get(half), Some(&b'D'), "{}", script.name);
            heard.truncate(half);
        }
        let heard = messages(&heard, &script.name);
        assert_eq!(tags(&heard), types, "{}: {heard:?}", script.name);
        if let Some(sqlstate) = sqlstate {
            assert_eq!(
                heard.last().unwrap().sqlstate(),
                sqlstate,
                "{}",
                script.name
            );
        }
    }
    stand.is_unharmed();
}

#[test]
fn whatever_a_database_sends_the_session_ends_and_the_programs_live() {
    let mut random = Random::new();
    let mut scripts = Vec::new();
    let good = [login(), described(BYTEA), row(1, 2), fatal("57P03")].concat();
    for tag in b"RSKZTDECNAGHdv" {
        for length in LENGTHS {
            let says = [[*tag].as_slice(), &length.to_be_bytes(), &[0; 20]].concat();
            let name = format!("{} of {length} bytes", char::from(*tag));
            scripts.push(Script::new(&name, &says).then_closes());
            let name = format!("{name} in a session");
            scripts.push(Script::new(&name, &[login(), says].concat()).then_closes());
        }
    }
    for number in 0..rounds(60) {
        let count = 1 + random.below(2_000);
        let name = format!("random bytes ({number})");
        scripts.push(Script::new(&name, &random.bytes(count)).then_closes());
        let says = [login(), random.bytes(count)].concat();
        scripts.push(Script::new(&format!("{name} in a session"), &says).then_closes());
        let name = format!("a flipped session ({number})");
        scripts.push(Script::new(&name, &random.flip(&good)).then_closes());
    }
    // After an error, an empty one too, nobody says more.
    scripts.push(Script::new("an empty error", &message::tagged(b'E', b"")).then_closes());
    let names: Vec<_> = scripts.iter().map(|script| script.name.clone()).collect();
    let stand = Stand::start(scripts, &[]);
    for name in names {
        stand.ask(&name);
    }
    stand.is_unharmed();
}

#[test]
fn a_database_that_answers_the_request_for_tls_with_nonsense_is_not_reached() {
    let scripts = vec![
        Script::at_once("no", b"N"),
        Script::at_once(
            "no, and goes on in clear",
            &[b"N".as_slice(), &login()].concat(),
        ),
        Script::at_once("an error", &fatal("57P03")),
        Script::at_once(
            "yes, and goes on in clear",
            &[b"S".as_slice(), &login()].concat(),
        ),
        Script::at_once("yes, and hangs up", b"S").then_closes(),
        Script::at_once("nothing, and hangs up", b"").then_closes(),
        Script::at_once("nothing", b""),
    ];
    let names: Vec<_> = scripts.iter().map(|script| script.name.clone()).collect();
    let lines = [
        "database.sslmode = 'require'",
        "database.connect_timeout = '500ms'",
    ];
    let stand = Stand::start(scripts, &lines);
    for name in names {
        let heard = messages(&stand.ask(&name), &name);
        assert_eq!(tags(&heard), "E", "{name}");
        assert_eq!(heard[0].sqlstate(), "08006", "{name}");
    }
    stand.is_unharmed();
}
