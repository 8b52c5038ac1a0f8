//! Servers that ask Patroni what their databases are: a planned switchover and a lost primary are followed,
//! and a Patroni that says nothing, or nonsense, is believed nothing.

mod deadlines;
mod nonsense;

use harness::raw::{Session, message, rows, tags};
use harness::{Address, Connector, Keys, Patroni, Server, Watch, until};
use serde_json::Value;

/// A server before each of two databases and a connector that chooses between the servers; and a server
/// that chooses between the databases, with a connector to it.
struct Stand {
    connector: Connector,
    connector_of_one: Connector,
    /// Of the first node, of the second, of both.
    servers: [Server; 3],
    patroni: Patroni,
    keys: Keys,
}

impl Stand {
    fn start() -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let patroni = Patroni::start(2);
        let [first, second] = [0, 1].map(|node| {
            let name = format!("server-{node}");
            let asked = format!("database.monitor.patroni = '{}'", patroni.url(node));
            let database = patroni.database(node).to_string();
            Server::start(
                &name,
                &keys.server_identity(&name),
                &keys,
                &database,
                &[&asked],
            )
        });
        let list =
            [0, 1].map(|node| format!("{} patroni={}", patroni.database(node), patroni.url(node)));
        let identity = keys.server_identity("server-of-both");
        let needs = ["target=primary"];
        let both = Server::start_among("server-of-both", &identity, &keys, &list, &needs, &[]);
        let identity = keys.client_identity("app");
        let list = [&first, &second].map(|server| format!("127.0.0.1:{}", server.port()));
        let stand = Self {
            connector: Connector::start_among("connector", &identity, &list, &needs, &[]),
            connector_of_one: Connector::start("connector-of-one", &identity, both.port(), &[]),
            servers: [first, second, both],
            patroni,
            keys,
        };
        stand.is_reached(0);
        stand
    }

    fn watch(&self, server: usize) -> Watch {
        let identity = self.keys.client_identity("app");
        Watch::start(&identity, self.servers[server].port())
    }

    /// A session through each of the connectors.
    fn sessions(&self) -> [Session; 2] {
        [&self.connector, &self.connector_of_one].map(|connector| {
            let mut session = connector.address().raw();
            session.start();
            session
        })
    }

    /// Waits until sessions of both connectors get this node.
    #[track_caller]
    fn is_reached(&self, node: usize) {
        let database = self.patroni.database(node);
        for connector in [&self.connector, &self.connector_of_one] {
            until("sessions to get the primary", || {
                gets(connector.address(), database).then_some(())
            });
        }
    }
}

/// Whether a session that begins at `address` is one of this database.
fn gets(address: Address, database: Address) -> bool {
    let mut session = address.raw();
    session.send(message::startup(&[("user", "postgres")]));
    loop {
        match session.read() {
            Ok(message) if message.tag == b'Z' => break,
            Ok(message) if message.tag == b'E' => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    let answer = session.query("select inet_server_port()");
    let found = rows(&answer)[0][0].clone().unwrap_or_default();
    database
        .to_string()
        .ends_with(&format!(":{}", String::from_utf8_lossy(&found)))
}

/// The code with which a session ends by itself.
#[track_caller]
fn ends(mut session: Session) -> String {
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E", "{heard:?}");
    heard[0].sqlstate()
}

fn has_role(role: &str) -> impl Fn(&Value) -> bool {
    move |standing| standing["database"]["role"] == role
}

fn is_gone(standing: &Value) -> bool {
    standing["database"].is_null() && standing["availability"] == "refusing"
}
