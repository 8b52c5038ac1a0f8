//! Patroni under test, Debian's: databases that agree by etcd on who is primary, and tell at a REST API
//! what they are.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::address::Address;
use crate::ca::Identity;
use crate::cluster::is_alive;
use crate::deadline::until;
use crate::dir::TestDir;
use crate::etcd::Etcd;
use crate::http::Request;
use crate::port::{Port, free_port};
use crate::postgres::{Release, as_owner, give, installed};
use crate::process::{Process, Stop};
use crate::program::Program;
use crate::zookeeper::ZooKeeper;

const PROGRAM: &str = "/usr/bin/patroni";

/// What each database is like: as those of a [`Cluster`](crate::Cluster).
const PARAMETERS: [(&str, &str); 5] = [
    ("fsync", "off"),
    ("shared_buffers", "16MB"),
    ("dynamic_shared_memory_type", "mmap"),
    ("wal_retrieve_retry_interval", "50ms"),
    ("max_wal_size", "1GB"),
];

/// A running cluster of Patroni's: the first node is primary, the others replicas. Dropping it ends it all.
#[derive(Debug)]
pub struct Patroni {
    nodes: Vec<Node>,
    agreement: Agreement,
}

/// By what the nodes agree on who is primary.
#[derive(Debug)]
pub enum Agreement {
    /// By etcd, whose user is `root`.
    Etcd(Box<Etcd>),
    /// By ZooKeeper.
    ZooKeeper(ZooKeeper),
}

/// One Patroni and its database.
#[derive(Debug)]
struct Node {
    /// None while Patroni is killed; its database may run on.
    process: Option<Process>,
    program: Program,
    /// Of the REST API, and of the database.
    ports: [Port; 2],
    is_tls: bool,
    dir: TestDir,
}

impl Patroni {
    /// Starts so many nodes.
    pub fn start(count: usize) -> Self {
        Self::start_by(Agreement::Etcd(Box::new(Etcd::start_one())), count)
    }

    /// [`start`](Self::start) nodes that agree by this.
    pub fn start_by(agreement: Agreement, count: usize) -> Self {
        Self::start_with(agreement, count, None)
    }

    /// [`start`](Self::start) a single one whose REST API shows this certificate.
    pub fn start_tls(identity: &Identity) -> Self {
        Self::start_with(
            Agreement::Etcd(Box::new(Etcd::start_one())),
            1,
            Some(identity),
        )
    }

    fn start_with(agreement: Agreement, count: usize, identity: Option<&Identity>) -> Self {
        assert!(
            Path::new(PROGRAM).is_file(),
            "no {PROGRAM} to test with: `apt-get install patroni`"
        );
        let nodes = (0..count).map(|number| Node::prepare(number, &agreement, identity));
        let mut cluster = Self {
            nodes: nodes.collect(),
            agreement,
        };
        // Who comes first is primary.
        for node in 0..count {
            cluster.launch(node);
            if identity.is_none() {
                cluster.wait_for_role(node, if node == 0 { "primary" } else { "replica" });
            }
        }
        cluster
    }

    /// Starts a node's Patroni, and with it its database, where that does not run.
    pub fn launch(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        assert!(node.process.is_none(), "Patroni is running");
        let process = node.program.start(&node.dir);
        process.wait_for_port(node.ports[0].number());
        node.process = Some(process);
    }

    /// Where a node's database listens.
    pub fn database(&self, node: usize) -> Address {
        Address::local(self.nodes[node].ports[1].number())
    }

    /// The URL of a node's REST API.
    pub fn url(&self, node: usize) -> String {
        let node = &self.nodes[node];
        let scheme = if node.is_tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}", node.ports[0])
    }

    /// What a node answers to `GET /patroni`.
    #[track_caller]
    pub fn status(&self, node: usize) -> Value {
        let port = self.nodes[node].ports[0].number();
        Request::get("/patroni").send(port).json()
    }

    /// Waits until a node runs in this role: `primary`, or `replica`, which receives from its primary then.
    #[track_caller]
    pub fn wait_for_role(&self, node: usize, role: &str) {
        let streams = "select count(*) from pg_stat_wal_receiver where status = 'streaming'";
        until(&format!("node {node} to be {role}"), || {
            let status = self.status(node);
            let told = status["role"].as_str().map(|role| match role {
                // Patroni's word to its release 3.
                "master" => "primary",
                role => role,
            });
            let mut is_so = status["state"] == "running" && told == Some(role);
            if is_so && role == "replica" {
                let mut session = self.database(node).raw();
                session.start();
                let answer = session.query(streams);
                is_so = crate::raw::rows(&answer)[0][0].as_deref() == Some(b"1");
            }
            is_so.then_some(())
        });
    }

    /// Has another node become primary, as planned. Returns when Patroni says that it has.
    #[track_caller]
    pub fn switchover(&self, from: usize, to: usize) {
        let order = json!({ "leader": name(from), "candidate": name(to) });
        let answer = Request::post("/switchover")
            .header("Content-Type", "application/json")
            .body(order.to_string())
            .send(self.nodes[from].ports[0].number());
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Has all Patronis leave their databases alone, or look after them again.
    #[track_caller]
    pub fn pause(&self, paused: bool) {
        let answer = Request::new("PATCH", "/config")
            .header("Content-Type", "application/json")
            .body(json!({ "pause": paused }).to_string())
            .send(self.nodes[0].ports[0].number());
        assert_eq!(answer.status, 200, "{answer:?}");
        for node in 0..self.nodes.len() {
            until("Patroni to know whether it is paused", || {
                (self.status(node)["pause"].as_bool().unwrap_or(false) == paused).then_some(())
            });
        }
    }

    /// By what the nodes agree.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The same, to be disturbed.
    pub fn agreement_mut(&mut self) -> &mut Agreement {
        &mut self.agreement
    }

    /// Has a node's Patroni stand still: its port accepts connections, and nobody answers.
    pub fn freeze(&self, node: usize) {
        self.process(node).signal(Signal::STOP);
    }

    /// Has it go on.
    pub fn thaw(&self, node: usize) {
        self.process(node).signal(Signal::CONT);
    }

    /// Kills a node's Patroni. Its database stays as it is.
    pub fn kill_patroni(&mut self, node: usize) {
        let process = self.nodes[node].process.take();
        process.expect("Patroni is running").kill();
    }

    /// Kills a node: its Patroni, and the first process of its database.
    pub fn kill(&mut self, node: usize) {
        self.kill_patroni(node);
        self.nodes[node].end_database(Signal::KILL);
    }

    fn process(&self, node: usize) -> &Process {
        let process = self.nodes[node].process.as_ref();
        process.expect("Patroni is running")
    }
}

impl Node {
    /// A node whose database is a copy of the same template as all others', so that Patroni takes it for
    /// one of them, and need not copy it.
    fn prepare(number: usize, agreement: &Agreement, identity: Option<&Identity>) -> Self {
        let dir = TestDir::new(&name(number));
        give(dir.path());
        Release::Installed.copy_template(&dir.join("data"));
        let mut node = Self {
            process: None,
            program: Program::at(PROGRAM),
            ports: [free_port(), free_port()],
            is_tls: identity.is_some(),
            dir,
        };
        let file = node.owned(
            "patroni.yml",
            node.config(number, agreement, identity).to_string(),
        );
        let patroni = Program::at(PROGRAM)
            .label(&name(number))
            .stop(Stop::Terminate)
            .arg(file);
        node.program = as_owner(patroni);
        node
    }

    /// JSON is YAML, too.
    fn config(&self, number: usize, agreement: &Agreement, identity: Option<&Identity>) -> Value {
        let [rest, database] = self
            .ports
            .each_ref()
            .map(|port| format!("127.0.0.1:{port}"));
        let here = self.dir.path();
        let mut restapi = json!({ "listen": rest, "connect_address": rest });
        if let Some(identity) = identity {
            let own = self.identity("rest", identity);
            restapi["certfile"] = json!(own.certificate);
            restapi["keyfile"] = json!(own.private_key);
        }
        let mut parameters: Value = PARAMETERS.into_iter().collect();
        parameters["unix_socket_directories"] = json!(here);
        let user = json!({ "username": "postgres" });
        let mut config = json!({
            "scope": "cluster",
            "name": name(number),
            "restapi": restapi,
            "bootstrap": { "dcs": {
                "ttl": 5, "loop_wait": 1, "retry_timeout": 2, "maximum_lag_on_failover": 1 << 20,
                "postgresql": { "use_pg_rewind": true },
            } },
            "postgresql": {
                "listen": database,
                "connect_address": database,
                "data_dir": here.join("data"),
                "bin_dir": installed("postgres").path().parent(),
                "pgpass": here.join("pgpass"),
                "authentication": { "superuser": user, "replication": user },
                "parameters": parameters,
                "pg_hba": [
                    "local all all trust",
                    "host all all 127.0.0.1/32 trust",
                    "host replication all 127.0.0.1/32 trust",
                ],
            },
        });
        match agreement {
            Agreement::Etcd(etcd) => {
                let client = self.identity("etcd", etcd.identity());
                config["etcd3"] = json!({
                    "hosts": etcd.endpoints(), "protocol": "https",
                    "username": "root", "password": Etcd::ROOT_PASSWORD,
                    "cacert": client.ca, "cert": client.certificate, "key": client.private_key,
                });
            }
            Agreement::ZooKeeper(zookeeper) => {
                config["zookeeper"] = json!({ "hosts": [zookeeper.address()] });
            }
        }
        config
    }

    /// Copies that the user of databases may read.
    fn identity(&self, of: &str, identity: &Identity) -> Identity {
        let copy = |from: &Path, what: &str| {
            let text = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
            self.owned(&format!("{of}.{what}"), text)
        };
        Identity {
            certificate: copy(&identity.certificate, "crt"),
            private_key: copy(&identity.private_key, "key"),
            ca: copy(&identity.ca, "ca"),
        }
    }

    fn owned(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.dir.write_private(name, text);
        give(&file);
        file
    }

    /// Ends the database, which is no child of Patroni's, and waits until it is gone.
    fn end_database(&self, signal: Signal) {
        let pids = fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap_or_default();
        let pid = pids.lines().next().and_then(|line| line.parse().ok());
        let Some(pid) = pid else { return };
        if kill_process(Pid::from_raw(pid).expect("0 is no process"), signal).is_ok() {
            until("the database to end", || (!is_alive(pid)).then_some(()));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Otherwise it would start the database again.
        if let Some(process) = self.process.take() {
            process.kill();
        }
        self.end_database(Signal::QUIT);
    }
}

fn name(node: usize) -> String {
    format!("node-{node}")
}
