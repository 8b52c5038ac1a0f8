//! A fleet: two servers on hosts of their own, with separate networks, users and directories, and one
//! store in an etcd of three members, each on a host of its own too.

mod apart;
mod moves;
mod outage;

use std::path::Path;
use std::time::Duration;

use envelope::Recipient;
use harness::http::{Request, Response};
use harness::raw::{Session, literal, rows};
use harness::{
    Cluster, Connector, Etcd, Host, Identity, Keys, MEMBERS, Namespace, Network, Program, Server,
};

/// What every call of etcd ends within, whatever etcd does; and some time for a busy machine.
const ETCD_CALL: Duration = Duration::from_millis(5500);

/// Dropped from the top: what runs on hosts first, the network last.
struct Fleet {
    connectors: [Connector; 2],
    servers: [Server; 2],
    database: Cluster,
    etcd: Etcd,
    members: Vec<Namespace>,
    _keys: Keys,
    hosts: [Host; 2],
    _network: Network,
}

impl Fleet {
    /// Two servers whose store is in etcd, with lines for their configuration.
    fn start(lines: &[&str]) -> Self {
        Self::with(lines, [0, 1], |etcd, keys, hosts, server| {
            let host = &hosts[server];
            let identity = host.install_identity(etcd.identity());
            let password = host.install(&etcd.password_file());
            let address = etcd.address("store");
            if server == 0 {
                copy_and_freeze(etcd, keys, &keys.store().display().to_string(), &address);
            }
            lines_for(&identity, &password, &address)
        })
    }

    /// Two servers of these users, with such lines and those that say where the store is.
    fn with(
        lines: &[&str],
        users: [u32; 2],
        store: impl Fn(&Etcd, &Keys, &[Host; 2], usize) -> Vec<String>,
    ) -> Self {
        let mut network = Network::new();
        let members: Vec<_> = (0..MEMBERS).map(|_| network.host()).collect();
        let hosts = users.map(|user| Host::new(&mut network, user));
        let etcd = Etcd::start_in(&members);
        let (keys, database) = (Keys::new(), Cluster::start());
        database.query("create table stored (id int primary key, value bytea)");
        keys.add_zone_creator("app");
        let servers = [0, 1].map(|number: usize| {
            let (label, host) = (format!("server-{number}"), &hosts[number]);
            let mut all = store(&etcd, &keys, &hosts, number);
            all.push(format!(
                "database.address = '{}'",
                database.socket().display()
            ));
            all.push("zone_mode = 'on'".to_owned());
            all.push("on_refused = 'null'".to_owned());
            all.extend(lines.iter().map(|line| (*line).to_owned()));
            let all: Vec<_> = all.iter().map(String::as_str).collect();
            let identity = keys.server_identity(&label);
            Server::start_on(host, &label, &identity, &keys.master_key_file(), &all)
        });
        let connectors = [0, 1].map(|number: usize| {
            let server = format!("server = '{}:9393'", hosts[number].address());
            Connector::start(
                &format!("connector-{number}"),
                &keys.client_identity("app"),
                9393,
                &[&server, "local_api.zones = true"],
            )
        });
        Self {
            connectors,
            servers,
            database,
            etcd,
            members,
            _keys: keys,
            hosts,
            _network: network,
        }
    }

    /// Asks for a zone, through one server.
    fn ask_for_zone(&self, server: usize) -> Response {
        self.connectors[server].api(&Request::post("/v1/zones"))
    }

    #[track_caller]
    fn make_zone(&self, server: usize) -> Recipient {
        let made = self.ask_for_zone(server);
        assert_eq!(made.status, 201, "{made:?}");
        made.recipient()
    }

    /// Puts a value sealed to the zone into the row of this number.
    fn store(&self, row: usize, zone: &Recipient, value: &[u8]) {
        let tag = format!("[{}]", zone.owner().id());
        let sealed = literal(&[tag.as_bytes(), &zone.seal(value).unwrap()].concat());
        self.database
            .query(&format!("insert into stored values ({row}, {sealed})"));
    }

    fn session(&self, server: usize) -> Session {
        let mut session = self.connectors[server].address().raw();
        session.start();
        session
    }
}

/// What a session reads in a row; nothing if it is refused.
#[track_caller]
fn read(session: &mut Session, row: usize) -> Option<Vec<u8>> {
    let answer = session.extended(&format!("select value from stored where id = {row}"), 1);
    let rows = rows(&answer);
    assert_eq!(rows.len(), 1, "{answer:?}");
    rows[0][0].clone()
}

/// What a server's configuration says of a store in etcd, with files at these places.
pub fn lines_for(identity: &Identity, password_file: &Path, address: &str) -> Vec<String> {
    vec![
        format!("store = '{address}'"),
        format!("etcd.ca = '{}'", identity.ca.display()),
        format!("etcd.certificate = '{}'", identity.certificate.display()),
        format!("etcd.private_key = '{}'", identity.private_key.display()),
        format!("etcd.user = '{}'", Etcd::USER),
        format!("etcd.password_file = '{}'", password_file.display()),
    ]
}

/// Moves the store, with a keymaker.
#[track_caller]
pub fn copy_and_freeze(etcd: &Etcd, keys: &Keys, from: &str, to: &str) {
    let identity = etcd.identity();
    let copied = Program::named("pgseal-keymaker")
        .args(["store", "copy", "--freeze", "--from", from, "--to", to])
        .arg("--master-key-file")
        .arg(keys.master_key_file())
        .env("PGSEAL_ETCD_CA", &identity.ca)
        .env("PGSEAL_ETCD_CERTIFICATE", &identity.certificate)
        .env("PGSEAL_ETCD_PRIVATE_KEY", &identity.private_key)
        .env("PGSEAL_ETCD_USER", Etcd::USER)
        .env("PGSEAL_ETCD_PASSWORD_FILE", etcd.password_file())
        .run();
    copied.success();
}
