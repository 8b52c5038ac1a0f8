//! A server that chooses between a primary and its replica: sessions get the one that their listener is
//! for, follow a promotion, and do not notice when one dies.

mod deadlines;

use std::thread;

use harness::raw::{Session, message, rows, tags};
use harness::{Address, Connector, Keys, Pair, Server, Settings, Watch, until};

/// What stands behind the server's addresses in these tests.
const NEEDS: [&str; 3] = [
    "target=primary",
    "target=replica fallback_to_primary",
    "target=any",
];
const PRIMARY: usize = 0;
const REPLICA: usize = 1;
const ANY: usize = 2;

const WATCHED: &str = "database.monitor.user = 'postgres'";

/// A server before both databases, and a connector to each of its listeners.
struct Stand {
    connectors: Vec<Connector>,
    server: Server,
    pair: Pair,
    keys: Keys,
}

impl Stand {
    fn start(lines: &[&str]) -> Self {
        Self::before(Self::settings().start_pair(), lines)
    }

    /// Where sessions come faster than they end, it is not PostgreSQL that refuses.
    fn settings() -> Settings {
        Settings::new().line("max_connections = 500")
    }

    fn before(pair: Pair, lines: &[&str]) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let lines = [&[WATCHED], lines].concat();
        let list = [&pair.primary, &pair.replica].map(|it| it.address().to_string());
        let identity = keys.server_identity("server");
        let server = Server::start_among("server", &identity, &keys, &list, &NEEDS, &lines);
        let identity = keys.client_identity("app");
        let connector = |listener| {
            let name = format!("connector-{listener}");
            Connector::start(&name, &identity, server.port_of(listener), &[])
        };
        let connectors = (0..NEEDS.len()).map(connector).collect();
        let stand = Self {
            connectors,
            server,
            pair,
            keys,
        };
        stand.is_reached(PRIMARY, false);
        stand.is_reached(REPLICA, true);
        stand
    }

    fn address_of(&self, listener: usize) -> Address {
        self.connectors[listener].address()
    }

    #[track_caller]
    fn session(&self, listener: usize) -> Session {
        let mut session = self.address_of(listener).raw();
        session.start();
        session
    }

    /// Waits until sessions of this listener get a replica, or a primary.
    #[track_caller]
    fn is_reached(&self, listener: usize, replica: bool) {
        until("the server to know what its databases are", || {
            let mut session = self.address_of(listener).raw();
            session.send(message::startup(&[("user", "postgres")]));
            loop {
                match session.read().unwrap().tag {
                    b'Z' => break,
                    b'E' => return None,
                    _ => {}
                }
            }
            (is_replica(&mut session) == replica).then_some(())
        });
    }

    fn promote(&self) {
        self.pair.replica.query("select pg_promote(false)");
    }
}

#[track_caller]
fn is_replica(session: &mut Session) -> bool {
    let answer = session.query("select pg_is_in_recovery()");
    rows(&answer)[0][0].as_deref() == Some(b"t")
}

/// The code with which a session ends by itself.
#[track_caller]
fn ends(mut session: Session) -> String {
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E", "{heard:?}");
    heard[0].sqlstate()
}

#[test]
fn sessions_get_the_database_that_their_listener_is_for() {
    let stand = Stand::start(&[]);
    for _ in 0..5 {
        assert!(!is_replica(&mut stand.session(PRIMARY)));
        assert!(is_replica(&mut stand.session(REPLICA)));
    }
    let anywhere = [(); 4].map(|()| is_replica(&mut stand.session(ANY)));
    assert_eq!(anywhere.iter().filter(|replica| **replica).count(), 2);
    // And so peers are told of each listener.
    let app = stand.keys.client_identity("app");
    for (listener, role) in [(PRIMARY, "primary"), (REPLICA, "replica"), (ANY, "primary")] {
        let mut news = Watch::start(&app, stand.server.port_of(listener));
        let (standing, _) = news.until("the role", |it| it["database"]["role"] == role);
        assert_eq!(standing["availability"], "accepting");
    }
    for database in [&stand.pair.primary, &stand.pair.replica] {
        let address = database.address();
        let up = format!("database_up{{database=\"{address}\"}}");
        assert_eq!(stand.server.counted(&up), 1);
    }
}

#[test]
fn peers_are_told_of_what_sessions_get() {
    let mut stand = Stand::start(&[]);
    let app = stand.keys.client_identity("app");
    let mut news = Watch::start(&app, stand.server.port_of(REPLICA));
    news.until("the replica", |it| it["database"]["role"] == "replica");
    stand.pair.replica.crash();
    // Its sessions get the primary, as fallback_to_primary says.
    news.until("the primary", |it| {
        it["database"]["role"] == "primary" && it["availability"] == "accepting"
    });
    stand.pair.primary.crash();
    news.until("nobody", |it| it["availability"] == "refusing");
}

#[test]
fn when_a_second_primary_appears_the_newer_one_is_believed_and_the_older_loses_its_sessions() {
    let stand = Stand::start(&[]);
    let (writer, reader) = (stand.session(PRIMARY), stand.session(REPLICA));
    stand.promote();
    assert_eq!(ends(writer), "57P01");
    stand.is_reached(PRIMARY, false);
    let [old, new] = [&stand.pair.primary, &stand.pair.replica].map(|it| it.address().to_string());
    let line = stand.server.process().wait_for_line("claims to be primary");
    assert!(line.contains("ERROR"), "{line}");
    assert!(
        line.contains(&format!(
            "{old} claims to be primary on timeline 1, but {new} is on 2"
        )),
        "{line}"
    );
    let distrusted = format!("database_distrusted{{database=\"{old}\"}}");
    assert_eq!(stand.server.counted(&distrusted), 1);
    stand
        .pair
        .replica
        .query("create table written_to_the_new (x int)");
    for listener in [PRIMARY, REPLICA, ANY, PRIMARY, REPLICA, ANY] {
        let answer = stand.session(listener).query("table written_to_the_new");
        assert!(tags(&answer).starts_with("TC"), "{answer:?}");
    }
    // A primary serves readers where no replica does, so that theirs need not end.
    let mut reader = reader;
    let answer = reader.query("table written_to_the_new");
    assert!(tags(&answer).starts_with("TC"), "{answer:?}");
}

#[test]
fn sessions_that_come_while_there_is_no_primary_get_the_next_one() {
    let mut stand = Stand::start(&["balance.wait_for_primary = '30s'"]);
    stand.pair.primary.kill();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| is_replica(&mut stand.session(PRIMARY))))
            .collect();
        until("the sessions to wait", || {
            (stand.server.counted("sessions") == 5).then_some(())
        });
        stand.promote();
        for session in waiting {
            assert!(!session.join().unwrap());
        }
    });
}

#[test]
fn while_there_is_no_primary_a_session_waits_no_longer_than_it_should() {
    let mut stand = Stand::start(&["balance.wait_for_primary = '700ms'"]);
    stand.pair.primary.kill();
    let begun = std::time::Instant::now();
    let mut session = stand.address_of(PRIMARY).raw();
    session.send(message::startup(&[("user", "postgres")]));
    assert_eq!(ends(session), "57P03");
    let promise = std::time::Duration::from_millis(700);
    let after = begun.elapsed();
    assert!((promise..3 * promise).contains(&after), "{after:?}");
}

#[test]
fn a_cancel_request_reaches_the_database_of_its_session() {
    let stand = Stand::start(&[]);
    for (listener, database) in [
        (PRIMARY, &stand.pair.primary),
        (REPLICA, &stand.pair.replica),
    ] {
        let mut session = stand.address_of(listener).raw();
        let greeting = session.start();
        let key = greeting.iter().find(|it| it.tag == b'K').unwrap();
        session.send(message::query("select pg_sleep(600)"));
        until("the query to begin", || {
            let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
            (database.value(asleep) == "1").then_some(())
        });
        let mut cancel = stand.address_of(listener).raw();
        cancel.send(message::cancel_request(&key.body));
        assert_eq!(cancel.read_until_closed(), []);
        let answer = session.read_until_ready();
        let error = answer.iter().find(|it| it.tag == b'E').unwrap();
        assert_eq!(error.sqlstate(), "57014");
    }
}

#[test]
fn values_open_from_the_primary_and_from_the_replica() {
    let stand = Stand::start(&[]);
    let app = stand.keys.client("app");
    let sealed = app.seal(b"4000 0012 3456 7899").unwrap();
    let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut writer = stand.session(PRIMARY);
    writer.query("create table cards (number bytea)");
    writer.query(&format!("insert into cards values ('\\x{hex}')"));
    stand.pair.wait_for_replay();
    for listener in [PRIMARY, REPLICA] {
        let answer = stand.session(listener).query("select number from cards");
        let opened: String = b"4000 0012 3456 7899"
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let expected = format!("\\x{opened}");
        assert_eq!(rows(&answer)[0][0].as_deref(), Some(expected.as_bytes()));
    }
}
