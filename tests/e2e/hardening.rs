//! What others on the host get of a running program's memory: nothing by dumps, nothing by looking,
//! nothing from the swap.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use harness::{Identity, Keys, Port, Process, Program, Signal, TestDir, as_owner, free_port, give};

/// A server that is to run as the unprivileged user that the tests have.
struct Stand {
    program: Program,
    dir: TestDir,
    ports: [Port; 2],
    _keys: Keys,
}

impl Stand {
    fn new(arguments: &[&str]) -> Self {
        let keys = Keys::new();
        let dir = TestDir::new("hardened");
        let identity = own(&keys.server_identity("primary"), &dir);
        for path in [keys.store(), keys.master_key_file()] {
            give(&path);
            give(path.parent().unwrap());
        }
        let ports = [free_port(), free_port()];
        let program = Program::named("pgseal-server")
            .args(["--listen", &format!("127.0.0.1:{}", ports[0])])
            .args(["--ops-listen", &format!("127.0.0.1:{}", ports[1])])
            .args(["--database-address", "127.0.0.1:1"])
            .args(["--store".as_ref(), keys.store().as_os_str()])
            .args([
                "--master-key-file".as_ref(),
                keys.master_key_file().as_os_str(),
            ])
            .args(tls(&identity))
            .args(arguments);
        Self {
            program,
            dir,
            ports,
            _keys: keys,
        }
    }

    fn start(&self, program: &Program) -> Process {
        let process = program.start(&self.dir);
        process.wait_for_port(self.ports[0].number());
        process
    }

    /// With this limit on locked memory, and without root's right to pass over it.
    fn limited(&self, limit: &str) -> Program {
        let limited = Program::at("/usr/bin/prlimit")
            .label("server")
            .arg(format!("--memlock={limit}"));
        as_owner(self.program.clone().under(limited))
    }
}

/// The same certificate, in files that that user can read.
fn own(identity: &Identity, dir: &TestDir) -> Identity {
    let key = fs::read(&identity.private_key).unwrap();
    let private_key = dir.write_private("server.key", key);
    give(&private_key);
    let readable = |name: &str, path| dir.write(name, fs::read(path).unwrap());
    Identity {
        private_key,
        certificate: readable("server.crt", &identity.certificate),
        ca: readable("ca.crt", &identity.ca),
    }
}

fn tls(identity: &Identity) -> [std::ffi::OsString; 6] {
    [
        "--tls-certificate".into(),
        identity.certificate.clone().into(),
        "--tls-private-key".into(),
        identity.private_key.clone().into(),
        "--tls-ca".into(),
        identity.ca.clone().into(),
    ]
}

/// A line of `/proc/PID/status`, in KiB.
fn kibibytes(process: &Process, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.unwrap().trim().strip_suffix(" kB").unwrap();
    number.parse().unwrap()
}

/// Whether another process of the same user can open this file of a process.
fn can_open(process: &Process, file: &str) -> bool {
    let path = format!("/proc/{}/{file}", process.pid());
    let open = Program::at("/bin/sh").args(["-c", r#": < "$1""#, "sh", &path]);
    as_owner(open).run().code == Some(0)
}

#[test]
fn nobody_of_the_same_user_reads_a_programs_memory() {
    const FILES: [&str; 3] = ["mem", "maps", "environ"];
    let stand = Stand::new(&[]);
    let server = stand.start(&as_owner(stand.program.clone()));
    let keys = Keys::new();
    let identity = own(&keys.client_identity("app"), &stand.dir);
    let port = free_port();
    let connector = Program::named("pgseal-connector")
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--api-listen", "127.0.0.1:0", "--server", "127.0.0.1:1"])
        .args(tls(&identity));
    let connector = as_owner(connector).start(&stand.dir);
    connector.wait_for_port(port.number());
    // That it works where nothing forbids it.
    let open = as_owner(Program::at("/bin/sleep").arg("600")).start(&stand.dir);
    let is_sleep = || fs::read_to_string(format!("/proc/{}/comm", open.pid()));
    harness::until("sleep to run", || {
        (is_sleep().unwrap() == "sleep\n").then_some(())
    });
    for file in FILES {
        assert!(can_open(&open, file), "{file}");
        for program in [&server, &connector] {
            assert!(!can_open(program, file), "{file} of {program:?}");
        }
    }
    for program in [server, connector] {
        let limits = fs::read_to_string(format!("/proc/{}/limits", program.pid())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core"));
        let words: Vec<_> = core.unwrap().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{limits}");
        program.signal(Signal::ABORT);
        assert!(!program.wait().core_dumped());
    }
}

#[test]
fn under_a_limit_a_server_warns_in_one_line_and_locks_nothing() {
    let stand = Stand::new(&[]);
    let server = stand.start(&stand.limited("65536:65536"));
    let line = server.wait_for_line("memory cannot be locked");
    assert!(
        line.contains("WARN") && line.contains("LimitMEMLOCK=infinity"),
        "{line}"
    );
    assert_eq!(server.log().matches("locked").count(), 1);
    assert_eq!(kibibytes(&server, "VmLck:"), 0);

    let stand = Stand::new(&["--lock-memory", "off"]);
    let server = stand.start(&stand.limited("65536:65536"));
    assert!(!server.log().contains("locked"), "{}", server.log());
    assert_eq!(kibibytes(&server, "VmLck:"), 0);
}

#[test]
fn a_server_that_must_lock_its_memory_and_may_not_does_not_start() {
    let stand = Stand::new(&["--lock-memory", "require"]);
    let finished = stand.limited("65536:65536").run();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let says = "pgseal-server: lock_memory: memory cannot be locked (RLIMIT_MEMLOCK is limited), so \
                keys may be swapped to disk: raise the limit (systemd: LimitMEMLOCK=infinity; \
                shell: ulimit -l unlimited)\n";
    assert_eq!(finished.stderr, says);
    // Asked whether its configuration is right, it locks nothing.
    let check = Stand::new(&["--lock-memory", "require", "--check-config"]);
    check.limited("65536:65536").run().success();
}

/// Only root can pass over a limit, and not everywhere raise one.
#[test]
fn without_a_limit_all_memory_of_a_server_is_locked() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let stand = Stand::new(&["--lock-memory", "require"]);
    let named = |program: &str| Program::at(program).label("server");
    let raise = || named("/usr/bin/prlimit").arg("--memlock=unlimited");
    let become_user = ["--reuid=postgres", "--regid=postgres", "--init-groups"];
    let mut ways = vec![
        // As root, and as a user with the one capability.
        stand.program.clone(),
        stand.program.clone().under(
            named("/usr/bin/setpriv")
                .args(become_user)
                .args(["--inh-caps=+ipc_lock", "--ambient-caps=+ipc_lock"]),
        ),
    ];
    if raise().arg("true").run().code == Some(0) {
        let raised = raise().arg("setpriv").args(become_user);
        ways.push(stand.program.clone().under(raised));
    }
    for program in ways {
        let server = stand.start(&program);
        let (locked, all) = (kibibytes(&server, "VmLck:"), kibibytes(&server, "VmSize:"));
        // But for what the kernel itself maps into a process.
        assert!(locked > 0 && all - locked < 1024, "{locked} of {all} KiB");
        assert!(!server.log().contains("locked"), "{}", server.log());
        server.terminate();
    }
}
