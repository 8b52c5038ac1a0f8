//! Connections that begin nothing, by the thousand: they keep nobody out, wherever they stop.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use harness::http::Request;
use harness::raw::tls::Hello;
use harness::raw::{Ended, Session, message, tags};
use harness::{Chain, Connector, Process, raise_file_limit, until};

use super::Stand;

/// Connections of a kind, and places for them, which are set in a normal run.
const COUNT: usize = 400;
const PLACES: usize = 100;
const LONG_COUNT: usize = 10_000;
const LONG_PLACES: usize = 4096;

/// Files that a program has open beside the crowd's connections: its own, those of the honest, and
/// those that are being closed.
const BESIDE: usize = 150;

static TURN: Mutex<()> = Mutex::new(());

struct Crowd {
    stand: Stand,
    _turn: MutexGuard<'static, ()>,
    count: usize,
    places: usize,
}

impl Crowd {
    fn start() -> Self {
        let long = env::var_os("PGSEAL_TEST_LONG").is_some();
        let (count, places) = match long {
            true => (LONG_COUNT, LONG_PLACES),
            false => (COUNT, PLACES),
        };
        // Both ends of some are in this program, so there is room for one crowd at a time.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        raise_file_limit(count as u64 + 2000);
        // Only a lack of places closes any.
        let patient = "startup_timeout = '1h'";
        let chain = Chain::builder().server(patient).connector(patient);
        let stand = Stand::start(&match long {
            true => chain,
            false => {
                let line = format!("max_starting = {PLACES}");
                chain.server(&line).connector(&line)
            }
        });
        Self {
            stand,
            _turn: turn,
            count,
            places,
        }
    }

    /// Opens the crowd, one connection after another; honest sessions at `port` get in among them and
    /// behind them, and `process` keeps to its bounds.
    #[track_caller]
    fn gathers<T>(&self, process: &Process, port: u16, mut open: impl FnMut() -> T) {
        let mut crowd = Vec::new();
        while crowd.len() < self.count {
            crowd.extend((0..self.count / 4).map(|_| open()));
            // It begins, others come, and it goes on.
            let mut honest = by_tcp(port, &message::ssl_request());
            let answer = honest.read_byte().unwrap();
            crowd.extend((0..self.places / 2).map(|_| open()));
            let greeting = match answer {
                b'N' => honest.start(),
                _ => {
                    let app = Hello::from(&self.stand.keys.client_identity("app"));
                    app.over(honest.into_stream()).unwrap().start()
                }
            };
            assert_eq!(greeting.last().map(|message| message.tag), Some(b'Z'));
        }
        until("connections to be closed that have no place", || {
            (process.open_files() < self.places + BESIDE).then_some(())
        });
        let health = self.stand.link.server.ops("/health");
        assert_eq!(health.status, 200, "{}", health.text());
    }
}

fn by_tcp(port: u16, bytes: &[u8]) -> Session {
    let mut session = Session::connect(([127, 0, 0, 1], port).into());
    session.send(bytes);
    session
}

#[test]
fn connections_that_send_a_byte_and_wait_keep_nobody_out_of_the_connector() {
    let crowd = Crowd::start();
    let connector = &crowd.stand.link.connector;
    let port = connector.address().port();
    crowd.gathers(connector.process(), port, || by_tcp(port, b"\0"));
    let metrics = connector.api(&Request::get("/metrics"));
    let dropped = metrics
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("pgseal_connector_connections_dropped_total "))
        .and_then(|count| count.parse::<usize>().ok())
        .unwrap();
    assert!(dropped >= crowd.count - crowd.places, "{dropped}");
    let line = "have not begun";
    let lines = connector.process().log().matches(line).count();
    assert!((1..60).contains(&lines), "{lines} lines");
}

#[test]
fn connections_that_wait_at_a_unix_socket_keep_nobody_out() {
    let crowd = Crowd::start();
    let identity = crowd.stand.keys.client_identity("app");
    let lines = [
        &format!("max_starting = {}", crowd.places),
        "startup_timeout = '1h'",
    ];
    let port = crowd.stand.link.server.port();
    let connector = Connector::start_with_sockets("sockets", &identity, port, &lines);
    let path = connector.socket();
    let open = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"\0").unwrap();
        stream
    };
    crowd.gathers(connector.process(), connector.address().port(), open);
    let mut honest = UnixStream::connect(&path).unwrap();
    honest
        .write_all(&message::startup(&[("user", "postgres")]))
        .unwrap();
    let mut answer = [0];
    honest.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"R");
}

#[test]
fn connections_that_wait_before_tls_keep_nobody_out_of_the_server() {
    let crowd = Crowd::start();
    let server = &crowd.stand.link.server;
    crowd.gathers(server.process(), server.port(), || {
        by_tcp(server.port(), &[0x16])
    });
    crowd.gathers(server.process(), server.port(), || {
        by_tcp(server.port(), b"\0")
    });
    assert!(server.counted("peers_dropped_total") >= (crowd.count - crowd.places) as u64);
}

#[test]
fn connections_that_wait_in_the_middle_of_a_tls_handshake_keep_nobody_out() {
    let crowd = Crowd::start();
    let server = &crowd.stand.link.server;
    // A record of a handshake that announces more than ever comes.
    let hello = [
        &[0x16, 3, 1, 0x10, 0, 1, 0, 0x0f, 0xfc, 3, 3][..],
        &[7; 2000],
    ]
    .concat();
    crowd.gathers(server.process(), server.port(), || {
        by_tcp(server.port(), &hello)
    });
}

#[test]
fn connections_of_a_client_that_wait_after_tls_keep_no_other_client_out() {
    let mut crowd = Crowd::start();
    // Each of them costs both ends a handshake.
    crowd.count = crowd.count.min(5000);
    crowd.stand.keys.add_client("idler");
    let idler = Hello::from(&crowd.stand.keys.client_identity("idler"));
    let server = &crowd.stand.link.server;
    crowd.gathers(server.process(), server.port(), || {
        idler.connect(server.port()).unwrap()
    });
}

#[test]
fn connections_that_wait_at_the_ops_port_keep_no_health_check_out() {
    let stand = Stand::start(&Chain::builder());
    let server = &stand.link.server;
    let crowd: Vec<Session> = (0..600).map(|_| by_tcp(server.ops_port(), b"G")).collect();
    assert_eq!(server.ops("/health").status, 200);
    let api = stand.link.connector.api_port();
    let more: Vec<Session> = (0..600).map(|_| by_tcp(api, b"G")).collect();
    let status = stand.link.connector.api(&Request::get("/v1/client")).status;
    assert_eq!((status, crowd.len(), more.len()), (200, 600, 600));
}

#[test]
fn a_connection_that_has_the_last_file_stays_until_another_waits_for_it() {
    let stand = Stand::start(&Chain::builder());
    let process = stand.link.connector.process();
    process.leave_files(1);
    let most = process.open_files() + 1;
    let mut last = stand.link.address().raw();
    until("the last file to be taken", || {
        (process.open_files() == most).then_some(())
    });
    // Many times as long as the connector waits before it tries to accept again.
    last.set_timeout(Duration::from_millis(500));
    assert_eq!(last.read().unwrap_err(), Ended::TimedOut);
    assert!(!process.log().contains("connections cannot be accepted"));
    let mut next = stand.link.address().raw();
    last.set_timeout(harness::PATIENCE);
    assert_eq!(last.read().unwrap_err(), Ended::Closed);
    next.send(message::ssl_request());
    assert_eq!(next.read_byte(), Ok(b'N'));
}

#[test]
fn a_connector_without_files_says_so_once_and_takes_sessions_when_others_have_ended() {
    let stand = Stand::start(&Chain::builder());
    let process = stand.link.connector.process();
    let begin = || {
        let mut session = stand.link.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        session
    };
    // For two sessions, and one that gets no tunnel.
    process.leave_files(5);
    let held = [stand.session(), stand.session()];
    let open = process.open_files();
    assert_eq!(begin().read().unwrap().sqlstate(), "08006");
    until("its file to be closed", || {
        (process.open_files() == open).then_some(())
    });
    process.leave_files(0);
    let mut waiting = begin();
    waiting.set_timeout(Duration::from_secs(2));
    let before = process.processor_time();
    assert_eq!(waiting.read().unwrap_err(), Ended::TimedOut);
    let used = process.processor_time() - before;
    assert!(used < 100, "{used} ticks of 200");
    let told = |line: &str| process.log().matches(line).count();
    assert_eq!(told("connections cannot be accepted"), 1);
    drop(held);
    waiting.set_timeout(harness::PATIENCE);
    // Files come free one by one: it may be accepted before there is one for its tunnel.
    let first = waiting.read().unwrap();
    let served = first.tag != b'E' || first.sqlstate() == "08006";
    assert!(served, "{first:?}");
    let mut taken = until("sessions are taken", || {
        let mut session = begin();
        (session.read().unwrap().tag == b'R').then_some(session)
    });
    // Another may come before there are files for it, too: this one stays.
    taken.read_until_ready();
    assert_eq!(tags(&taken.query("select 1")), "TDCZ");
    assert_eq!(told("connections cannot be accepted"), 1);
}
