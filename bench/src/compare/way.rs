//! The ways to the database: straight, through pgseal, and through what would stand in its place.

use harness::{
    Ca, Cluster, Connector, Haproxy, Identity, Keys, Leaf, Port, Process, Program, Server, TestDir,
    as_owner, free_port,
};

/// A way to the database.
pub struct Way {
    /// As the tables have it.
    pub name: &'static str,
    /// Where its clients connect.
    pub port: u16,
    /// Its proxies' processes.
    pub processes: Vec<u32>,
    _keeps: Box<dyn std::any::Any>,
}

/// Straight to the database, which others are compared with.
pub const DIRECT: &str = "direct";
/// The nearest to connector and server: two HAProxy with certificates on both sides between them.
pub const HAPROXY_MTLS: &str = "haproxy-mtls";
/// The same of two stunnel.
pub const STUNNEL: &str = "stunnel";
/// One HAProxy, without TLS.
pub const HAPROXY: &str = "haproxy";
/// One PgBouncer, with a database session for each of an application.
pub const PGBOUNCER: &str = "pgbouncer";
/// Connector and server.
pub const PGSEAL: &str = "pgseal";
/// The same in zone mode.
pub const PGSEAL_ZONES: &str = "pgseal-zones";

impl Way {
    /// Starts all of them.
    pub fn start_all(database: &Cluster, keys: &Keys) -> Vec<Self> {
        let to = database.address().port();
        let ca = Ca::new();
        let ends = [
            ca.issue(&Leaf::client("bench")),
            ca.issue(&Leaf::server("bench")),
        ];
        vec![
            Self {
                name: DIRECT,
                port: to,
                processes: Vec::new(),
                _keeps: Box::new(()),
            },
            haproxy(to),
            haproxy_mtls(to, &ends),
            stunnel(to, &ends),
            pgbouncer(to),
            Self::pgseal(PGSEAL, database, keys, "off"),
        ]
    }

    /// Connector and server, of the client `app`, in this zone mode.
    pub fn pgseal(name: &'static str, database: &Cluster, keys: &Keys, zone_mode: &str) -> Self {
        let server = Server::start(
            "server",
            &keys.server_identity("bench"),
            keys,
            &database.address().to_string(),
            &[&format!("zone_mode = '{zone_mode}'")],
        );
        // A server that is checked, and tunnels that wait for eight clients to come again and again.
        let connector = Connector::start_among(
            "connector",
            &keys.client_identity("app"),
            &[format!("127.0.0.1:{}", server.port())],
            &[""],
            &["warm_tunnels = 16"],
        );
        Self {
            name,
            port: connector.address().port(),
            processes: pids(&[connector.process(), server.process()]),
            _keeps: Box::new((connector, server)),
        }
    }
}

/// Timeouts as guides have them; as many threads as there are processors, as it comes.
const HAPROXY_DEFAULTS: &str = "defaults
    mode tcp
    maxconn 4000
    timeout connect 5s
    timeout client 30m
    timeout server 30m
";

fn haproxy(to: u16) -> Way {
    let port = free_port();
    let haproxy = Haproxy::start(
        &format!(
            "{HAPROXY_DEFAULTS}
listen plain
    bind 127.0.0.1:{port}
    server database 127.0.0.1:{to}
"
        ),
        &[port.number()],
    );
    Way {
        name: HAPROXY,
        port: port.number(),
        processes: vec![haproxy.process().pid()],
        _keeps: Box::new((haproxy, port)),
    }
}

/// What pgseal's tunnels negotiate, too.
const CIPHER: &str = "TLS_AES_256_GCM_SHA384";

fn haproxy_mtls(to: u16, [client, server]: &[Identity; 2]) -> Way {
    let dir = TestDir::new("haproxy-mtls");
    let (port, between) = (free_port(), free_port());
    let near = format!(
        "{HAPROXY_DEFAULTS}
listen near
    bind 127.0.0.1:{port}
    server far 127.0.0.1:{between} ssl crt {} ca-file {} verify required ssl-min-ver TLSv1.3 ciphersuites {CIPHER}
",
        bundle(&dir, "near.pem", client).display(),
        client.ca.display(),
    );
    let far = format!(
        "{HAPROXY_DEFAULTS}
listen far
    bind 127.0.0.1:{between} ssl crt {} ca-file {} verify required ssl-min-ver TLSv1.3 ciphersuites {CIPHER}
    server database 127.0.0.1:{to}
",
        bundle(&dir, "far.pem", server).display(),
        server.ca.display(),
    );
    let far = Haproxy::start(&far, &[between.number()]);
    let near = Haproxy::start(&near, &[port.number()]);
    Way {
        name: HAPROXY_MTLS,
        port: port.number(),
        processes: vec![near.process().pid(), far.process().pid()],
        _keeps: Box::new((near, far, dir, port, between)),
    }
}

/// Certificate and key in one file, as HAProxy wants them.
fn bundle(dir: &TestDir, name: &str, identity: &Identity) -> std::path::PathBuf {
    let read = |path| std::fs::read(path).expect("a certificate that was just made");
    let both = [read(&identity.certificate), read(&identity.private_key)].concat();
    dir.write_private(name, both)
}

fn stunnel(to: u16, [client, server]: &[Identity; 2]) -> Way {
    let dir = TestDir::new("stunnel");
    let (port, between) = (free_port(), free_port());
    let start = |name: &str, mode: &str, identity: &Identity, accept: &Port, connect: u16| {
        let configuration = format!(
            "foreground = yes
pid =
debug = err
[{name}]
client = {mode}
accept = 127.0.0.1:{accept}
connect = 127.0.0.1:{connect}
cert = {}
key = {}
CAfile = {}
verifyChain = yes
sslVersionMin = TLSv1.3
ciphersuites = {CIPHER}
",
            identity.certificate.display(),
            identity.private_key.display(),
            identity.ca.display(),
        );
        let file = dir.write(&format!("{name}.conf"), configuration);
        let program = Program::at("/usr/bin/stunnel").label(name).arg(file);
        let process = program.start(&dir);
        process.wait_for_port(accept.number());
        process
    };
    let far = start("far", "no", server, &between, to);
    let near = start("near", "yes", client, &port, between.number());
    Way {
        name: STUNNEL,
        port: port.number(),
        processes: pids(&[&near, &far]),
        _keeps: Box::new((near, far, dir, port, between)),
    }
}

fn pgbouncer(to: u16) -> Way {
    let dir = TestDir::new("pgbouncer");
    let port = free_port();
    let users = dir.write("users", "\"postgres\" \"\"\n");
    let configuration = format!(
        "[databases]
* = host=127.0.0.1 port={to}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {}
pool_mode = session
max_client_conn = 4000
default_pool_size = 1050
log_connections = 0
log_disconnections = 0
",
        users.display()
    );
    let file = dir.write("pgbouncer.ini", configuration);
    let program = as_owner(Program::at("/usr/sbin/pgbouncer").arg(file));
    let process = program.start(&dir);
    process.wait_for_port(port.number());
    Way {
        name: PGBOUNCER,
        port: port.number(),
        processes: pids(&[&process]),
        _keeps: Box::new((process, dir, port)),
    }
}

fn pids(processes: &[&Process]) -> Vec<u32> {
    processes.iter().map(|process| process.pid()).collect()
}
