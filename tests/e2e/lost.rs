//! Connections that are lost, whoever loses them: every session ends within a deadline, with
//! PostgreSQL's own error where one can be said, and whoever comes next is served or told.

mod application;
mod database;
mod drain;
mod server;
mod tunnel;

use harness::http::Request;
use harness::raw::{Message, Session, message, tags};
use harness::{Address, Chain, ChainBuilder, Cluster, Keys, Link, until};

/// A link and its keys, which it needs to the end.
struct Stand {
    link: Link,
    keys: Keys,
}

impl Stand {
    fn start(builder: &ChainBuilder) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let link = builder.start_link(&keys);
        Self { link, keys }
    }

    /// A session through connector and server.
    fn session(&self) -> Session {
        let mut session = self.link.address().raw();
        session.start();
        session
    }

    /// A session in which this query runs.
    fn running(&self, sql: &str) -> Session {
        let mut session = self.session();
        session.send(message::query(sql));
        let running = format!(
            "select count(*) from pg_stat_activity
             where state = 'active' and query = '{}'",
            sql.replace('\'', "''")
        );
        until("the query to begin", || {
            (self.link.database.value(&running) != "0").then_some(())
        });
        session
    }

    /// How many sessions the server has.
    fn sessions(&self) -> u64 {
        let app = self.keys.client_identity("app");
        let status = self.link.server.control(&app, &Request::get("/v1/status"));
        status.json()["sessions"].as_u64().unwrap()
    }

    /// Waits until neither server nor database has a session left.
    #[track_caller]
    fn no_session_is_left(&self) {
        until("the server's sessions to end", || {
            (self.sessions() == 0).then_some(())
        });
        until("the database's sessions to end", || {
            (backends(&self.link.database) == 0).then_some(())
        });
    }
}

/// The way from an application to a database, as it comes.
fn plain() -> ChainBuilder {
    Chain::builder()
}

/// How many sessions a database has besides the one that asks.
fn backends(database: &Cluster) -> u64 {
    let count = "select count(*) from pg_stat_activity
                 where backend_type = 'client backend' and pid <> pg_backend_pid()";
    database.value(count).parse().unwrap()
}

/// The error with which a session ends that is between two messages. Before it may come only what
/// the database had said already, and its warning.
#[track_caller]
fn farewell(mut session: Session, whose: &str) -> Message {
    let mut heard = session.read_until_closed();
    let said = tags(&heard);
    assert!(
        ["E", "TE", "NE", "TNE"].contains(&said.as_str()),
        "{whose}: {heard:?}"
    );
    let error = heard.pop().unwrap();
    assert_eq!(error.field(b'V').as_deref(), Some("FATAL"), "{whose}");
    error
}

/// What an application gets that connects where there is nothing to be had.
#[track_caller]
fn turned_away(address: Address) -> Message {
    let mut session = address.raw();
    session.send(message::startup(&[("user", "postgres")]));
    farewell(session, "a new session")
}

/// The application's next session works.
#[track_caller]
fn is_served(address: Address) {
    let mut session = address.raw();
    session.start();
    assert_eq!(tags(&session.query("select 1")), "TDCZ");
}
