//! Sockets that a service manager listens on (socket activation).

use std::path::PathBuf;

use harness::{Address, Cluster, Identity, Keys, Process, Program, TestDir, free_port};

use super::answer;

/// A program that is started with these sockets when somebody connects to one of them.
fn activated(program: &str, sockets: &[String], arguments: Vec<String>, dir: &TestDir) -> Process {
    let listens = sockets.iter().map(|socket| format!("--listen={socket}"));
    let manager = Program::at("/usr/bin/systemd-socket-activate").args(listens);
    let process = Program::named(program)
        .args(arguments)
        .under(manager.label(program))
        .start(dir);
    for socket in sockets {
        process.wait_for_line(&format!("Listening on {socket}"));
    }
    process
}

fn flags(flags: &[(&str, String)], identity: &Identity) -> Vec<String> {
    let Identity {
        certificate,
        private_key,
        ca,
    } = identity;
    let tls = [
        ("tls-certificate", certificate),
        ("tls-private-key", private_key),
        ("tls-ca", ca),
    ];
    let tls = tls.map(|(name, path)| format!("--{name}={}", path.display()));
    let own = flags
        .iter()
        .map(|(name, value)| format!("--{name}={value}"));
    own.chain(tls).collect()
}

/// Server and connector, each with what a test wants.
struct Stand {
    keys: Keys,
    database: Cluster,
    dir: TestDir,
}

impl Stand {
    fn start() -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        Self {
            keys,
            database: Cluster::start(),
            dir: TestDir::new("activated"),
        }
    }

    fn server(&self, sockets: &[String], listen: &str, ops: &str) -> Process {
        let own = [
            ("listen", listen.to_owned()),
            ("ops-listen", ops.to_owned()),
            ("database-address", self.database.address().to_string()),
            ("store", self.keys.store().display().to_string()),
            (
                "master-key-file",
                self.keys.master_key_file().display().to_string(),
            ),
        ];
        let arguments = flags(&own, &self.keys.server_identity("server"));
        activated("pgseal-server", sockets, arguments, &self.dir)
    }

    fn connector(&self, sockets: &[String], listen: &str, api: &str, server: u16) -> Process {
        let own = [
            ("listen", listen.to_owned()),
            ("api-listen", api.to_owned()),
            ("server", format!("127.0.0.1:{server}")),
        ];
        let arguments = flags(&own, &self.keys.client_identity("app"));
        activated("pgseal-connector", sockets, arguments, &self.dir)
    }
}

#[test]
fn both_programs_serve_on_sockets_that_were_there_before_them() {
    let stand = Stand::start();
    let [port, ops, app_port, api] = [(); 4].map(|()| free_port());
    let local = |port: u16| format!("127.0.0.1:{port}");
    // The server's own port was listened on; its ops port it binds itself.
    let (listen, ops) = (local(port.number()), local(ops.number()));
    let _server = stand.server(std::slice::from_ref(&listen), &listen, &ops);
    let path: PathBuf = stand.dir.join(".s.PGSQL.5432");
    let (socket, tcp, api) = (
        path.display().to_string(),
        local(app_port.number()),
        local(api.number()),
    );
    let listen = format!("{socket},{tcp}");
    let sockets = [socket.clone(), tcp];
    let connector = stand.connector(&sockets, &listen, &api, port.number());
    let by_tcp = Address::local(app_port.number()).conninfo();
    assert_eq!(answer(&by_tcp), "42\n");
    let by_socket = format!(
        "host={} port=5432 user=postgres dbname=postgres",
        stand.dir.path().display()
    );
    assert_eq!(answer(&by_socket), "42\n");
    assert!(connector.terminate().success());
    assert!(path.exists(), "the file is the service manager's");
}

#[test]
fn a_socket_that_the_configuration_does_not_name_keeps_nobody_waiting() {
    let stand = Stand::start();
    let [port, ops, other] = [(); 3].map(|()| free_port());
    let local = |port: u16| format!("127.0.0.1:{port}");
    let (listen, ops) = (local(port.number()), local(ops.number()));
    let unnamed = local(other.number());
    let server = stand.server(&[listen.clone(), unnamed.clone()], &listen, &ops);
    drop(Address::local(other.number()).raw());
    assert_eq!(server.wait().code(), Some(2));
    server.wait_for_line(&format!("the service manager listens on {unnamed}"));
}
