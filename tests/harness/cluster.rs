//! One PostgreSQL server with a data directory of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, kill_process};
use tokio_postgres::Client;

use crate::address::Address;
use crate::ca::{Ca, Identity, Leaf};
use crate::clock::with_clock;
use crate::deadline::until;
use crate::dir::TestDir;
use crate::namespace::Namespace;
use crate::port::{Port, free_port};
use crate::postgres::{Release, as_owner, give, installed};
use crate::process::{Process, Signal, Stop};
use crate::raw::{Message, Session, message};
use crate::settings::{Settings, Tls};

/// What every cluster of a test is like. `dynamic_shared_memory_type`: the usual kind would leave
/// files in `/dev/shm` when killed. `wal_keep_size`: a test may search all WAL that was written.
const BASE: &str = "\
fsync = off
full_page_writes = on
shared_buffers = 16MB
max_connections = 100
dynamic_shared_memory_type = mmap
max_wal_size = 1GB
wal_keep_size = 512MB
wal_retrieve_retry_interval = 50ms
log_line_prefix = '%m [%p] %q%u@%d '
";

/// A running PostgreSQL server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Cluster {
    process: Option<Process>,
    release: Release,
    port: Port,
    dir: TestDir,
    host: Ipv4Addr,
    /// The network that it is in, if that is not this host's.
    namespace: Option<String>,
    /// By how much its clock is wrong, if it is.
    clock: Option<String>,
}

impl Cluster {
    /// Starts a primary with the plain [`Settings`].
    pub fn start() -> Self {
        Settings::new().start_cluster()
    }

    /// A primary, set up but not running yet.
    pub(crate) fn primary(settings: &Settings) -> Self {
        Self::prepare("primary", settings, "", None)
    }

    /// A replica of `primary`, set up but not running yet. It is a second copy of the same template,
    /// so both have the same system identifier, and the primary still has all WAL it ever wrote.
    pub(crate) fn replica(
        settings: &Settings,
        primary: &Self,
        namespace: Option<&Namespace>,
    ) -> Self {
        let (host, port) = (primary.socket_dir().display(), &primary.port);
        let line = format!("primary_conninfo = 'host={host} port={port} user=postgres'\n");
        let cluster = Self::prepare("replica", settings, &line, namespace);
        cluster.write("standby.signal", "");
        cluster
    }

    fn prepare(name: &str, settings: &Settings, line: &str, namespace: Option<&Namespace>) -> Self {
        let dir = TestDir::new(name);
        give(dir.path());
        let port = free_port();
        match settings.is_of_its_own {
            true => settings.release.initdb(&dir.join("data")),
            false => settings.release.copy_template(&dir.join("data")),
        }
        let cluster = Self {
            process: None,
            release: settings.release,
            port,
            dir,
            host: namespace.map_or(Ipv4Addr::LOCALHOST, Namespace::ip),
            namespace: namespace.map(|it| it.name().to_owned()),
            clock: settings.clock.clone(),
        };
        let mut config = format!("{BASE}{line}");
        config.push_str(&format!("listen_addresses = '{}'\n", cluster.host));
        config.push_str(&format!("port = {}\n", cluster.port));
        config.push_str(&format!(
            "unix_socket_directories = '{}'\n",
            cluster.dir.path().display()
        ));
        match &settings.tls {
            Tls::Off => {}
            Tls::Localhost => {
                let ca = Ca::new();
                let leaf = Leaf::server("database").without_uri();
                cluster.set_certificate(&ca.issue(&leaf));
                config.push_str("ssl = on\n");
            }
            Tls::As(identity) => {
                cluster.set_certificate(identity);
                config.push_str("ssl = on\n");
            }
        }
        for line in &settings.lines {
            config.push_str(&format!("{line}\n"));
        }
        cluster.write("postgresql.conf", &config);
        cluster.write("pg_hba.conf", &settings.pg_hba());
        cluster
    }

    /// Puts this certificate where PostgreSQL looks for its own; a running one takes it over when
    /// it reloads.
    pub fn set_certificate(&self, identity: &Identity) {
        for (from, name) in [
            (&identity.certificate, "server.crt"),
            (&identity.private_key, "server.key"),
        ] {
            let to = self.data().join(name);
            fs::copy(from, &to).unwrap_or_else(|error| panic!("copying {name}: {error}"));
            give(&to);
        }
    }

    /// Starts it and does not wait.
    pub(crate) fn launch(&mut self) {
        assert!(self.process.is_none(), "the cluster is running");
        let server = self.release.program("postgres").arg("-D").arg(self.data());
        let server = with_clock(server, self.clock.as_deref());
        let mut server = server.label("postgres").stop(Stop::Quit);
        if let Some(namespace) = &self.namespace {
            server = server.namespace(namespace);
        }
        self.process = Some(as_owner(server).start(&self.dir));
    }

    /// Waits until it answers.
    pub(crate) fn wait_until_ready(&self) {
        until("PostgreSQL to answer", || {
            assert!(self.process().ended().is_none(), "PostgreSQL did not start");
            let mut session = Session::try_connect(self.address().socket()).ok()?;
            session.send(message::startup(&[
                ("user", "postgres"),
                ("database", "postgres"),
            ]));
            // While it starts it answers with an error and hangs up.
            while let Ok(message) = session.read() {
                if message.tag == b'Z' {
                    session.send(message::terminate());
                    return Some(());
                }
            }
            None
        });
    }

    /// Makes the users of the settings.
    pub(crate) fn create_users(&self, settings: &Settings) {
        if let Some(sql) = settings.create_users() {
            self.query(&sql);
        }
    }

    /// Starts it after [`stop`](Self::stop) or [`kill`](Self::kill), at the same port, and waits
    /// until it answers.
    pub fn start_again(&mut self) {
        self.launch();
        self.wait_until_ready();
    }

    /// Stops it as an administrator would (fast shutdown): sessions end with SQLSTATE `57P01`.
    pub fn stop(&mut self) {
        let process = self.process.take().expect("the cluster is running");
        process.signal(Signal::INT);
        process.wait();
    }

    /// Stops it at once and without a checkpoint (immediate shutdown): sessions break off.
    pub fn kill(&mut self) {
        let process = self.process.take().expect("the cluster is running");
        process.signal(Signal::QUIT);
        process.wait();
    }

    /// Kills its first process alone (SIGKILL), as the kernel does where memory runs out, and waits until
    /// the others have found that out and ended.
    pub fn crash(&mut self) {
        let others = self.children();
        let process = self.process.take().expect("the cluster is running");
        process.kill();
        until("PostgreSQL's processes to end", || {
            others.iter().all(|pid| !is_alive(*pid)).then_some(())
        });
    }

    /// Sends a signal to all of its processes: with `STOP` it hangs, with `CONT` it goes on.
    pub fn signal(&self, signal: Signal) {
        let first = self.process().pid().cast_signed();
        for pid in [first].into_iter().chain(self.children()) {
            // One that has ended since is as good as stopped.
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, signal));
        }
    }

    /// The processes that its first one has started and that run now.
    pub fn children(&self) -> Vec<i32> {
        let pid = self.process().pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_else(|error| panic!("PostgreSQL's processes: {error}"));
        let children = children.split_ascii_whitespace();
        children.filter_map(|child| child.parse().ok()).collect()
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::new(self.host, self.port.number())
    }

    /// The directory of its unix socket, for `host=`.
    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join(&format!(".s.PGSQL.{}", self.port))
    }

    /// Opens a session as user postgres in database postgres.
    pub async fn connect(&self) -> Client {
        self.address().connect().await
    }

    /// Runs SQL in a session of its own and returns the rows of the last result, in text. Panics
    /// at an error.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut session = self.address().raw();
        session.start();
        let messages = session.query(sql);
        session.send(message::terminate());
        if let Some(error) = messages.iter().find(|message| message.tag == b'E') {
            panic!("{sql}: {error:?}");
        }
        last_result(&messages)
    }

    /// Runs SQL as [`query`](Self::query) does, and returns the one value of its one row.
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        let mut rows = self.query(sql);
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) if row.len() == 1 => row
                .into_iter()
                .flatten()
                .next()
                .unwrap_or_else(|| panic!("{sql}: the value is NULL")),
            (last, _) => panic!("{sql}: not one value; the last row is {last:?}"),
        }
    }

    /// Where its WAL ends (a primary), such as `0/15E8C10`.
    pub fn wal_end(&self) -> String {
        self.value("select pg_current_wal_lsn()")
    }

    /// Waits until this replica has replayed WAL up to `lsn`, so that queries see what was written
    /// before it.
    #[track_caller]
    pub fn wait_for_replay(&self, lsn: &str) {
        let sql = format!("select coalesce(pg_last_wal_replay_lsn() >= '{lsn}', false)");
        until("the replica to catch up", || {
            (self.value(&sql) == "t").then_some(())
        });
    }

    /// A dump of all databases (`pg_dumpall`).
    pub fn dump(&self) -> Vec<u8> {
        let dump = installed("pg_dumpall").args(["-d", &self.address().conninfo()]);
        dump.run().success().into_bytes()
    }

    /// All its WAL.
    pub fn wal(&self) -> Vec<u8> {
        let directory = self.data().join("pg_wal");
        let entries = fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("listing {}: {error}", directory.display()));
        let files = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file());
        let mut files: Vec<_> = files.collect();
        files.sort();
        // A segment may be renamed for its next use meanwhile.
        let segments: Vec<_> = files
            .iter()
            .filter_map(|path| fs::read(path).ok())
            .collect();
        segments.concat()
    }

    /// Every file of its data directory: tables, WAL and all else, as they are on disk.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.data()];
        while let Some(directory) = directories.pop() {
            // PostgreSQL makes and removes files meanwhile.
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process().log()
    }

    /// Its process, the postmaster.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the cluster is running")
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Writes a file into the data directory. One that is there already stays with its owner.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.data().join(name), text)
            .unwrap_or_else(|error| panic!("writing {name}: {error}"));
    }
}

/// The rows behind the last `RowDescription`, in text.
fn last_result(messages: &[Message]) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for message in messages {
        match message.tag {
            b'T' => rows.clear(),
            b'D' => rows.push(
                message
                    .row()
                    .into_iter()
                    .map(|field| field.map(text))
                    .collect(),
            ),
            _ => {}
        }
    }
    rows
}

/// Whether a process runs: one that has ended may stay in the table until somebody asks how.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
    state.is_some_and(|rest| !rest.starts_with('Z'))
}

fn text(field: Vec<u8>) -> String {
    String::from_utf8_lossy(&field).into_owned()
}

impl Drop for Cluster {
    /// A process that was stopped would not hear that it is to end.
    fn drop(&mut self) {
        if self.process.as_ref().is_some_and(|it| it.ended().is_none()) {
            self.signal(Signal::CONT);
        }
    }
}
