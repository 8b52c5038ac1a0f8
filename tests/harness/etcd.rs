//! etcd under test: members with TLS, client certificates and authentication, from Debian's
//! `etcd-server` and `etcd-client`.

use std::path::PathBuf;

use crate::ca::{Ca, Identity, Leaf};
use crate::deadline::until;
use crate::dir::TestDir;
use crate::namespace::Namespace;
use crate::port::{Port, free_port};
use crate::process::{Process, Signal};
use crate::program::{Finished, Program};

/// How many members a cluster has.
pub const MEMBERS: usize = 3;

/// The ports of a member that has an address of its own.
const OWN_PORTS: [u16; 2] = [2379, 2380];

/// A running cluster of three members, or of one. Everything that talks to it shows a certificate of its CA; the
/// user [`Etcd::USER`] may read and write below [`Etcd::PREFIX`], and `root` do everything.
#[derive(Debug)]
pub struct Etcd {
    members: Vec<Member>,
    client: Identity,
    named_client: Identity,
    password_file: PathBuf,
    root_password_file: PathBuf,
    _ca: Ca,
    _dir: TestDir,
}

/// One member.
#[derive(Debug)]
struct Member {
    process: Process,
    program: Program,
    client_url: String,
    /// `HOST:PORT` for clients.
    endpoint: String,
    port: u16,
    dir: TestDir,
    _reserved: Vec<Port>,
}

impl Etcd {
    /// The user for stores.
    pub const USER: &str = "pgseal";
    /// What the user for stores may read and write below.
    pub const PREFIX: &str = "/pgseal/";
    /// That user's password.
    pub const PASSWORD: &str = "a password in etcd";
    /// That of `root`.
    pub const ROOT_PASSWORD: &str = "a password of etcd's root";

    /// Starts a cluster on 127.0.0.1.
    pub fn start() -> Self {
        Self::start_at(vec![None; MEMBERS])
    }

    /// Starts a single member on 127.0.0.1, for who needs any etcd.
    pub fn start_one() -> Self {
        Self::start_at(vec![None])
    }

    /// Starts a cluster of members with a network namespace each.
    pub fn start_in(namespaces: &[Namespace]) -> Self {
        Self::start_at(namespaces.iter().map(Some).collect())
    }

    fn start_at(places: Vec<Option<&Namespace>>) -> Self {
        let ca = Ca::new();
        let dir = TestDir::new("etcd");
        let named = Leaf::client("store").without_uri();
        let named_client = ca.issue(&named);
        let client = ca.issue(&named.without_common_name());
        let mut prepared: Vec<_> = places
            .iter()
            .enumerate()
            .map(|(number, place)| Prepared::new(number, *place, &ca))
            .collect();
        let peers: Vec<_> = prepared.iter().map(Prepared::initial).collect();
        let peers = peers.join(",");
        let members = prepared
            .drain(..)
            .map(|member| member.start(&peers, &ca))
            .collect();
        let cluster = Self {
            members,
            client,
            named_client,
            password_file: dir.write_private("password", Self::PASSWORD),
            root_password_file: dir.write_private("root-password", Self::ROOT_PASSWORD),
            _ca: ca,
            _dir: dir,
        };
        cluster.wait_for_health();
        cluster.set_up_users();
        cluster
    }

    /// The address of a store under [`Etcd::PREFIX`], all members named.
    pub fn address(&self, name: &str) -> String {
        let endpoints: Vec<_> = self
            .members
            .iter()
            .map(|one| one.endpoint.as_str())
            .collect();
        format!("etcd://{}{}{name}", endpoints.join(","), Self::PREFIX)
    }

    /// Where all members serve clients, `HOST:PORT` each.
    pub fn endpoints(&self) -> Vec<&str> {
        self.members.iter().map(|one| &*one.endpoint).collect()
    }

    /// Where a member serves clients, `HOST:PORT`.
    pub fn endpoint(&self, member: usize) -> &str {
        &self.members[member].endpoint
    }

    /// A certificate that etcd takes, its key, and etcd's CA.
    pub fn identity(&self) -> &Identity {
        &self.client
    }

    /// A certificate like it, with a common name.
    pub fn named_identity(&self) -> &Identity {
        &self.named_client
    }

    /// The file with the password of [`Etcd::USER`].
    pub fn password_file(&self) -> PathBuf {
        self.password_file.clone()
    }

    /// The file with the password of `root`.
    pub fn root_password_file(&self) -> PathBuf {
        self.root_password_file.clone()
    }

    /// The directory that a member keeps its data in.
    pub fn data(&self, member: usize) -> PathBuf {
        self.members[member].dir.join("data")
    }

    /// A member's process.
    pub fn process(&self, member: usize) -> &Process {
        &self.members[member].process
    }

    /// Kills a member.
    pub fn kill(&self, member: usize) {
        self.members[member].process.kill();
    }

    /// Has a member stand still: its port accepts connections, and nobody answers.
    pub fn freeze(&self, member: usize) {
        self.members[member].process.signal(Signal::STOP);
    }

    /// Has a member that stands still go on.
    pub fn thaw(&self, member: usize) {
        self.members[member].process.signal(Signal::CONT);
    }

    /// Starts a killed member again, with its data.
    pub fn restart(&mut self, member: usize) {
        let Member {
            process,
            program,
            dir,
            port,
            ..
        } = &mut self.members[member];
        *process = program.start(dir);
        process.wait_for_port(*port);
    }

    /// Runs `etcdctl` as root on all members that are named, or else on all.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> Finished {
        self.ctl_program()
            .arg("--user")
            .arg(format!("root:{}", Self::ROOT_PASSWORD))
            .args(arguments)
            .run()
    }

    /// Waits until all members agree on a leader.
    #[track_caller]
    pub fn wait_for_health(&self) {
        until("etcd to be well", || {
            let finished = self.ctl_program().args(["endpoint", "health"]).run();
            // Asked without a login, a member that is well may also say that it wants one.
            (finished.code == Some(0)).then_some(())
        });
    }

    fn ctl_program(&self) -> Program {
        let urls: Vec<_> = self
            .members
            .iter()
            .map(|one| one.client_url.as_str())
            .collect();
        program("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", urls.join(",")))
            .arg(format!("--cacert={}", self.client.ca.display()))
            .arg(format!("--cert={}", self.client.certificate.display()))
            .arg(format!("--key={}", self.client.private_key.display()))
    }

    fn set_up_users(&self) {
        let end = Self::PREFIX.replace("l/", "l0");
        let (root, user) = (
            format!("root:{}", Self::ROOT_PASSWORD),
            format!("{}:{}", Self::USER, Self::PASSWORD),
        );
        let steps: &[&[&str]] = &[
            &["user", "add", &root],
            &["user", "grant-role", "root", "root"],
            &["role", "add", "store"],
            &[
                "role",
                "grant-permission",
                "store",
                "readwrite",
                Self::PREFIX,
                &end,
            ],
            &["user", "add", &user],
            &["user", "grant-role", Self::USER, "store"],
            &["auth", "enable"],
        ];
        for step in steps {
            self.ctl_program().args(*step).run().success();
        }
    }
}

/// A member before it is started.
struct Prepared<'a> {
    name: String,
    host: String,
    ports: [u16; 2],
    identity: Identity,
    namespace: Option<&'a Namespace>,
    reserved: Vec<Port>,
}

impl<'a> Prepared<'a> {
    fn new(number: usize, namespace: Option<&'a Namespace>, ca: &Ca) -> Self {
        let reserved: Vec<Port> = match namespace {
            Some(_) => Vec::new(),
            None => vec![free_port(), free_port()],
        };
        let host = namespace.map_or("127.0.0.1".to_owned(), Namespace::address);
        let ports = match reserved.as_slice() {
            [clients, peers] => [clients.number(), peers.number()],
            _ => OWN_PORTS,
        };
        Self {
            name: format!("etcd-{number}"),
            identity: ca.issue(&Leaf::server("etcd").without_uri().and_address(&host)),
            host,
            ports,
            namespace,
            reserved,
        }
    }

    fn url(&self, port: usize) -> String {
        format!("https://{}:{}", self.host, self.ports[port])
    }

    fn initial(&self) -> String {
        format!("{}={}", self.name, self.url(1))
    }

    fn start(self, peers: &str, ca: &Ca) -> Member {
        let dir = TestDir::new(&self.name);
        let (clients, peer) = (self.url(0), self.url(1));
        let Identity {
            certificate,
            private_key,
            ..
        } = &self.identity;
        let mut etcd = program("etcd").label(&self.name);
        for (option, value) in [
            ("name", self.name.clone()),
            ("data-dir", dir.join("data").display().to_string()),
            ("listen-client-urls", clients.clone()),
            ("advertise-client-urls", clients.clone()),
            ("listen-peer-urls", peer.clone()),
            ("initial-advertise-peer-urls", peer),
            ("initial-cluster", peers.to_owned()),
            ("cert-file", certificate.display().to_string()),
            ("key-file", private_key.display().to_string()),
            ("trusted-ca-file", ca.certificate().display().to_string()),
            ("client-cert-auth", "true".into()),
            ("peer-cert-file", certificate.display().to_string()),
            ("peer-key-file", private_key.display().to_string()),
            (
                "peer-trusted-ca-file",
                ca.certificate().display().to_string(),
            ),
            ("peer-client-cert-auth", "true".into()),
            ("auth-token-ttl", "3".into()),
            ("bcrypt-cost", "4".into()),
            ("log-level", "warn".into()),
            ("logger", "zap".into()),
        ] {
            etcd = etcd.arg(format!("--{option}={value}"));
        }
        if let Some(namespace) = self.namespace {
            etcd = etcd.namespace(namespace.name());
        }
        Member {
            process: etcd.start(&dir),
            program: etcd,
            client_url: clients,
            endpoint: format!("{}:{}", self.host, self.ports[0]),
            port: self.ports[0],
            dir,
            _reserved: self.reserved,
        }
    }
}

/// A program of Debian's packages `etcd-server` and `etcd-client`.
fn program(name: &str) -> Program {
    let path = PathBuf::from("/usr/bin").join(name);
    assert!(
        path.is_file(),
        "no {} to test with: `apt-get install etcd-server etcd-client`",
        path.display()
    );
    Program::at(path)
}
