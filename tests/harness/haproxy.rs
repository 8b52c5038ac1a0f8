//! HAProxy, Debian's: the balancer that others have before their servers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::deadline::{PATIENCE, until};
use crate::dir::TestDir;
use crate::process::Process;
use crate::program::Program;

const PROGRAM: &str = "/usr/sbin/haproxy";

/// A running HAProxy. Dropping it kills it.
#[derive(Debug)]
pub struct Haproxy {
    process: Process,
    dir: TestDir,
}

impl Haproxy {
    /// Starts it with this configuration, and waits until it listens on all of `ports`. What it has to
    /// say goes to its log, and its state is told to the harness.
    pub fn start(configuration: &str, ports: &[u16]) -> Self {
        assert!(
            Path::new(PROGRAM).is_file(),
            "no {PROGRAM} to test with: `apt-get install haproxy`"
        );
        let dir = TestDir::new("haproxy");
        let global = format!(
            "global\n    log stdout format raw local0\n    stats socket {}\n",
            dir.join(SOCKET).display()
        );
        let file = dir.write("haproxy.cfg", format!("{global}{configuration}"));
        let process = Program::at(PROGRAM).arg("-db").arg("-f").arg(file);
        let process = process.start(&dir);
        ports.iter().for_each(|port| process.wait_for_port(*port));
        Self { process, dir }
    }

    /// The servers of a backend that get sessions, by their names.
    #[track_caller]
    pub fn up(&self, backend: &str) -> Vec<String> {
        let table = self.ask("show stat");
        let mut rows = table
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>());
        let header = rows.next().unwrap_or_default();
        let column = |name: &str| {
            let column = header
                .iter()
                .position(|it| it.trim_start_matches("# ") == name);
            column.unwrap_or_else(|| panic!("no column {name}: {table}"))
        };
        let [proxy, server, status] = ["pxname", "svname", "status"].map(column);
        let is_up = |row: &Vec<&str>| {
            row.get(proxy) == Some(&backend)
                && !matches!(row.get(server), Some(&("FRONTEND" | "BACKEND")))
                && row.get(status).is_some_and(|it| it.starts_with("UP"))
        };
        let up = rows
            .filter(is_up)
            .filter_map(|row| row.get(server).copied());
        up.map(str::to_owned).collect()
    }

    /// Waits until these servers of a backend get sessions, and no other.
    #[track_caller]
    pub fn wait_until_up(&self, backend: &str, servers: &[&str]) {
        until(&format!("{servers:?} alone to be up in {backend}"), || {
            (self.up(backend) == servers).then_some(())
        });
    }

    /// Its process: its log, its signals.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What it answers to a command at its socket.
    #[track_caller]
    fn ask(&self, command: &str) -> String {
        let mut answer = String::new();
        let socket = self.dir.join(SOCKET);
        let asked = UnixStream::connect(&socket).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            writeln!(stream, "{command}")?;
            stream.read_to_string(&mut answer)
        });
        asked.unwrap_or_else(|error| panic!("asking HAProxy at {}: {error}", socket.display()));
        answer
    }
}

const SOCKET: &str = "stats";
