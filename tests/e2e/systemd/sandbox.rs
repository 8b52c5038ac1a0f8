//! Our programs as the units start them, as far as that goes without systemd, with their system
//! calls recorded. What only systemd as the first process could show (its mounts, namespaces and
//! credentials) is not tested.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::http::Request;
use harness::raw::literal;
use harness::{
    Cluster, Identity, Keys, Port, Process, Program, Signal, TestDir, as_owner, free_port, give,
    psql_program, until,
};

use rustix::process::{Pid, kill_process};

use super::{UNITS, analyze, unit, values};

/// The system calls that a unit allows, by name.
fn allowed(unit: &str) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for line in values(unit, "SystemCallFilter") {
        let (denies, names) = match line.strip_prefix('~') {
            Some(names) => (true, names),
            None => (false, line),
        };
        for name in names.split(' ') {
            for call in expanded(name) {
                if denies {
                    allowed.remove(&call);
                } else {
                    allowed.insert(call);
                }
            }
        }
    }
    allowed
}

/// A set of system calls without sets in it.
fn expanded(name: &str) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return BTreeSet::from([name.to_owned()]);
    }
    let listed = analyze(["syscall-filter", "--no-pager", name])
        .run()
        .success();
    listed
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(expanded)
        .collect()
}

/// Our programs as the units start them, as far as that goes without systemd: an unprivileged user
/// without capabilities and without a way to any, credentials in a directory; and recorded.
struct Recorded {
    dir: TestDir,
    notices: UnixDatagram,
}

impl Recorded {
    fn new() -> Self {
        let dir = TestDir::new("recorded");
        give(dir.path());
        let socket = dir.join("notify");
        let notices = UnixDatagram::bind(&socket).unwrap();
        notices
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        give(&socket);
        Self { dir, notices }
    }

    /// A file that the unprivileged user owns.
    fn own(&self, name: &str, from: &Path) -> PathBuf {
        let path = self.dir.write_private(name, fs::read(from).unwrap());
        give(&path);
        path
    }

    fn tls(&self, name: &str, identity: &Identity) -> [OsString; 6] {
        let file = |kind: &str, from| self.own(&format!("{name}.{kind}"), from).into();
        [
            "--tls-certificate".into(),
            file("crt", &identity.certificate),
            "--tls-private-key".into(),
            file("key", &identity.private_key),
            "--tls-ca".into(),
            file("ca", &identity.ca),
        ]
    }

    fn record(&self, name: &str) -> PathBuf {
        self.dir.join(&format!("{name}.strace"))
    }

    /// Starts it, and waits until it has told its service manager that it is ready.
    fn start(&self, program: Program, name: &str, port: &Port) -> Process {
        let strace = Program::at("/usr/bin/strace")
            .label(name)
            .args(["-D", "-f", "-q", "-s", "0", "-o"])
            .arg(self.record(name));
        let mut setpriv = Program::at("/usr/bin/setpriv").label(name);
        if rustix::process::geteuid().is_root() {
            setpriv = setpriv
                .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
                .args(["--inh-caps=-all", "--bounding-set=-all"]);
        }
        let program = program
            .under(strace)
            .under(setpriv.arg("--no-new-privs"))
            .env("CREDENTIALS_DIRECTORY", self.dir.path())
            .env("NOTIFY_SOCKET", self.dir.join("notify"));
        let process = program.start(&self.dir);
        process.wait_for_port(port.number());
        self.hears("READY=1");
        process
    }

    #[track_caller]
    fn hears(&self, expected: &str) {
        assert_eq!(self.heard(), expected);
    }

    fn heard(&self) -> String {
        let mut word = [0; 64];
        let length = self.notices.recv(&mut word).unwrap();
        String::from_utf8_lossy(&word[..length]).into_owned()
    }

    /// Has a process leave its place to another, and ends that one: its id, as the service manager was told.
    #[track_caller]
    fn hand_over_and_end(&self, process: &Process) -> Pid {
        process.signal(Signal::USR2);
        let heard = self.heard();
        let told = heard.strip_prefix("MAINPID=");
        let told = told.and_then(|rest| rest.strip_suffix("\nREADY=1"));
        let pid = told.unwrap_or_else(|| panic!("{heard}\n{}", process.log()));
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        assert!(process.wait().success(), "{}", process.log());
        kill_process(pid, Signal::TERM).unwrap();
        self.hears("STOPPING=1");
        pid
    }
}

/// What a recording shows that a unit does not allow, one line for each.
fn beyond(record: &str, unit: &str) -> BTreeSet<String> {
    let allowed = allowed(unit);
    let families: BTreeSet<_> = values(unit, "RestrictAddressFamilies")[0]
        .split(' ')
        .collect();
    let mut found = BTreeSet::new();
    for line in record.lines() {
        let Some((_, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let Some((name, arguments)) = call.split_once('(') else {
            continue;
        };
        let is_call = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_call {
            continue;
        }
        if !allowed.contains(name) {
            found.insert(format!("SystemCallFilter: {name}"));
        }
        let family = arguments.split([',', ')']).next().unwrap();
        if name == "socket" && !families.contains(family) {
            found.insert(format!("RestrictAddressFamilies: {family}"));
        }
        // As seccomp_memory_deny_write_execute has it.
        let writes_what_runs = name == "mmap" && arguments.contains("PROT_WRITE|PROT_EXEC");
        if writes_what_runs || (name == "mprotect" && arguments.contains("PROT_EXEC")) {
            found.insert(format!("MemoryDenyWriteExecute: {name}"));
        }
        if name.starts_with("clone") && arguments.contains("CLONE_NEW") {
            found.insert(format!("RestrictNamespaces: {arguments}"));
        }
    }
    found
}

#[test]
fn the_programs_live_within_what_the_units_allow() {
    let recorded = Recorded::new();
    let database = Cluster::start();
    let keys = Keys::new();
    let app = keys.add_client("app");
    give(&keys.store());
    give(keys.store().parent().unwrap());
    recorded.own("master.key", &keys.master_key_file());
    let [port, ops, app_port, api] = [(); 4].map(|()| free_port());

    let server = Program::named("pgseal-server")
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--ops-listen", &format!("127.0.0.1:{ops}")])
        .args(["--database-address", &database.address().to_string()])
        .args(["--store".as_ref(), keys.store().as_os_str()])
        .args([
            "--master-key-command",
            r#"cat "$CREDENTIALS_DIRECTORY/master.key""#,
        ])
        .args(recorded.tls("server", &keys.server_identity("primary")));
    let server = recorded.start(server, "server", &ops);
    let sockets = format!(
        "{}/.s.PGSQL.5432,127.0.0.1:{app_port}",
        recorded.dir.path().display()
    );
    // Users by name, so that they are looked up; the session below is the unprivileged user's.
    let connector = Program::named("pgseal-connector")
        .args(["--listen", &sockets])
        .args(["--api-listen", &format!("127.0.0.1:{api}")])
        .args(["--server", &format!("localhost:{port}")])
        .args(["--allow-users", "postgres,root"])
        .args(recorded.tls("connector", &keys.client_identity("app")));
    let connector = recorded.start(connector, "connector", &api);

    let conninfo = format!(
        "host={} port=5432 user=postgres dbname=postgres",
        recorded.dir.path().display()
    );
    let sealed = app.seal(b"opened").unwrap();
    let sql = format!(
        "create table t (value bytea); insert into t values ({}); select value from t",
        literal(&sealed)
    );
    let printed = as_owner(psql_program(&conninfo, ["-qAtc", &sql])).run();
    assert_eq!(printed.success(), "\\x6f70656e6564\n");
    assert_eq!(Request::get("/health").send(ops.number()).status, 200);
    assert_eq!(Request::get("/health").send(api.number()).status, 200);
    for process in [&server, &connector] {
        process.signal(Signal::HUP);
        process.wait_for_line("configuration applied");
    }
    let [connector, server] =
        [&connector, &server].map(|process| recorded.hand_over_and_end(process));

    for (name, last, unit_name) in [
        ("server", server, UNITS[0]),
        ("connector", connector, UNITS[1]),
    ] {
        let end = format!("{last} +++ exited with 0 +++");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let record = until("the recording to be whole", || {
            let record = fs::read_to_string(recorded.record(name)).unwrap();
            record
                .lines()
                .any(|line| words(line) == end)
                .then_some(record)
        });
        assert!(record.contains("execve("), "{record}");
        let unit = unit(unit_name);
        assert_eq!(beyond(&record, &unit), BTreeSet::new(), "{name}");
        // That it would show: a tighter unit is overstepped.
        let tighter = unit
            .replace(
                "@privileged @resources",
                "@privileged @resources @network-io",
            )
            .replace("AF_INET AF_INET6 AF_UNIX", "AF_INET6");
        let shows = beyond(&record, &tighter);
        for expected in [
            "SystemCallFilter: socket",
            "RestrictAddressFamilies: AF_INET",
            "RestrictAddressFamilies: AF_UNIX",
        ] {
            assert!(shows.contains(expected), "{name}: {shows:?}");
        }
    }
}
