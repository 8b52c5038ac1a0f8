//! A cluster that is broken: two primaries, replicas with another history, databases of another cluster, nobody
//! to agree by, clocks that are wrong. No write goes where there is reason to distrust, and it is said so.

mod clocks;
mod clusters;
mod cut_off;
mod deadlines;
mod patroni;
mod replicas;
mod twins;

use harness::raw::{Session, message, rows, tags};
use harness::{Address, Cluster, Connector, Keys, Server, until};

/// What stands behind the server's addresses in these tests.
const NEEDS: [&str; 4] = [
    "target=primary",
    "target=replica",
    "target=any",
    "target=replica max_lag=16MiB",
];
const PRIMARY: usize = 0;
const REPLICA: usize = 1;
const ANY: usize = 2;
const NEAR: usize = 3;

/// A server that chooses between databases, and a connector to each of its listeners.
struct Chooser {
    connectors: Vec<Connector>,
    server: Server,
    _keys: Keys,
}

impl Chooser {
    fn start(databases: &[&Cluster], lines: &[&str]) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let usual = [
            "database.monitor.user = 'postgres'",
            "balance.wait_for_primary = '1s'",
        ];
        let lines = [&usual, lines].concat();
        let list: Vec<_> = databases
            .iter()
            .map(|it| it.address().to_string())
            .collect();
        let identity = keys.server_identity("server");
        let server = Server::start_among("server", &identity, &keys, &list, &NEEDS, &lines);
        let identity = keys.client_identity("app");
        let connector = |listener| {
            let name = format!("connector-{listener}");
            Connector::start(&name, &identity, server.port_of(listener), &[])
        };
        Self {
            connectors: (0..NEEDS.len()).map(connector).collect(),
            server,
            _keys: keys,
        }
    }

    fn begins(&self, listener: usize) -> Result<Session, String> {
        begins(self.connectors[listener].address())
    }

    #[track_caller]
    fn is_reached(&self, listener: usize, database: &Cluster) -> Session {
        until("sessions to get a certain database", || {
            let mut session = self.begins(listener).ok()?;
            is_of(&mut session, database.address()).then_some(session)
        })
    }

    #[track_caller]
    fn is_refused(&self, listener: usize) {
        until("sessions to be refused", || {
            let refused = self.begins(listener).err()?;
            let expected = match listener {
                PRIMARY => "57P03",
                _ => "08006",
            };
            (refused == expected).then_some(())
        });
    }

    /// Waits until this is said of a database, in a line that calls for a look, and in the metrics.
    #[track_caller]
    fn says(&self, database: &Cluster, what: &str) {
        let line = format!("the database {} {what}", database.address());
        let line = self.server.process().wait_for_line(&line);
        assert!(line.contains("ERROR"), "{line}");
        until("the metrics to tell", || {
            self.distrusts(database).then_some(())
        });
    }

    fn distrusts(&self, database: &Cluster) -> bool {
        let address = database.address();
        let line = format!("database_distrusted{{database=\"{address}\"}}");
        self.server.counted(&line) == 1
    }
}

/// A session, or the code with which it is refused.
fn begins(address: Address) -> Result<Session, String> {
    let mut session = address.raw();
    session.send(message::startup(&[("user", "postgres")]));
    loop {
        match session.read() {
            Ok(message) if message.tag == b'Z' => return Ok(session),
            Ok(message) if message.tag == b'E' => return Err(message.sqlstate()),
            Ok(_) => {}
            Err(_) => return Err("nothing".to_owned()),
        }
    }
}

fn is_of(session: &mut Session, database: Address) -> bool {
    let answer = session.query("select inet_server_port()");
    let port = rows(&answer)[0][0].clone().unwrap_or_default();
    String::from_utf8_lossy(&port) == database.port().to_string()
}

/// The code with which a session ends by itself.
#[track_caller]
fn ends(mut session: Session) -> String {
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E", "{heard:?}");
    heard[0].sqlstate()
}

fn promote(replica: &Cluster) {
    replica.query("select pg_promote(true)");
}

#[track_caller]
fn receives(replica: &Cluster, timeline: u32) {
    let sql = "select coalesce(max(received_tli), 0) from pg_stat_wal_receiver where status = 'streaming'";
    until("the replica to receive", || {
        (replica.value(sql) == timeline.to_string()).then_some(())
    });
}
