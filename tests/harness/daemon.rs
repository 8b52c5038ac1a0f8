//! A daemon of ours under test: a program, its configuration file, and the process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::ca::Identity;
use crate::deadline::until;
use crate::dir::TestDir;
use crate::host::Host;
use crate::process::{Process, Signal};
use crate::program::Program;

/// The text of a TOML file, key by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    lines: BTreeMap<String, String>,
}

impl Config {
    /// Sets `key = value`, a line of TOML. A key that was set before gets the new value.
    pub(crate) fn set(&mut self, line: &str) {
        let (key, value) = line
            .split_once('=')
            .unwrap_or_else(|| panic!("'{line}' is not 'key = value'"));
        self.lines
            .insert(key.trim().to_owned(), value.trim().to_owned());
    }

    pub(crate) fn set_tls(&mut self, identity: &Identity) {
        let Identity {
            certificate,
            private_key,
            ca,
        } = identity;
        self.set(&format!("tls.certificate = '{}'", certificate.display()));
        self.set(&format!("tls.private_key = '{}'", private_key.display()));
        self.set(&format!("tls.ca = '{}'", ca.display()));
    }

    pub(crate) fn text(&self) -> String {
        self.lines
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect()
    }
}

/// A daemon with its configuration, running except during [`restart`](Self::restart).
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Process,
    program: Program,
    config: Config,
    ports: Vec<u16>,
    dir: TestDir,
}

impl Daemon {
    /// Starts it and waits until it listens on all of `ports`.
    pub(crate) fn start(name: &str, label: &str, config: Config, ports: Vec<u16>) -> Self {
        let dir = TestDir::new(label);
        let file = dir.write("config.toml", config.text());
        let program = Program::named(name).label(label).arg("--config").arg(file);
        Self::launch(program, config, ports, dir)
    }

    /// Starts it on a host, with its configuration there, and waits until it listens on `ports`.
    pub(crate) fn start_on(
        host: &Host,
        name: &str,
        label: &str,
        config: Config,
        ports: Vec<u16>,
    ) -> Self {
        let dir = TestDir::new(label);
        let file = dir.write("config.toml", config.text());
        let program = Program::named(name).label(label).arg("--config").arg(file);
        Self::launch(host.runs(program), config, ports, dir)
    }

    /// As the systemd units have it.
    fn launch(program: Program, config: Config, ports: Vec<u16>, dir: TestDir) -> Self {
        let program = program.env("MALLOC_MMAP_THRESHOLD_", "1048576");
        let process = program.start(&dir);
        ports.iter().for_each(|port| process.wait_for_port(*port));
        Self {
            process,
            program,
            config,
            ports,
            dir,
        }
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Changes its configuration file and asks it to read that again (SIGHUP).
    pub(crate) fn reconfigure(&mut self, lines: &[&str]) {
        self.configure(lines);
        self.process.signal(Signal::HUP);
    }

    /// Changes its configuration file, asks it to read that again, and waits until it has taken it
    /// over.
    #[track_caller]
    pub(crate) fn apply(&mut self, lines: &[&str]) {
        let applied = |process: &Process| process.log().matches("configuration applied").count();
        let before = applied(&self.process);
        self.reconfigure(lines);
        until("the configuration to be applied", || {
            (applied(&self.process) > before).then_some(())
        });
    }

    /// Changes its configuration file, and does not tell it.
    pub(crate) fn configure(&mut self, lines: &[&str]) {
        lines.iter().for_each(|line| self.config.set(line));
        self.dir.write("config.toml", self.config.text());
    }

    /// Has it leave its place to another process (SIGUSR2), and gives the one that was there, with its
    /// sessions.
    #[track_caller]
    pub(crate) fn hand_over(&mut self) -> Process {
        let told = "another process has taken over pid=";
        let tells = |line: &&str| line.contains(told);
        let before = self.process.log().lines().filter(tells).count();
        self.process.signal(Signal::USR2);
        let pid = until("another process to take over", || {
            let log = self.process.log();
            let line = log.lines().filter(tells).nth(before)?;
            line.split_once(told)?.1.trim().parse().ok()
        });
        let successor = self.process.successor(pid);
        std::mem::replace(&mut self.process, successor)
    }

    /// Starts it anew from a copy of its program, which is returned.
    pub(crate) fn restart_from_copy(&mut self) -> PathBuf {
        let copy = self.dir.join("program");
        fs::copy(self.program.path(), &copy)
            .unwrap_or_else(|error| panic!("copying {}: {error}", copy.display()));
        self.program = self.program.clone().moved_to(&copy);
        self.restart();
        copy
    }

    /// Gives its command line and its environment more, from the next start on.
    pub(crate) fn fix(&mut self, arguments: &[&str], variables: &[(&str, &str)]) {
        let mut program = self.program.clone().args(arguments);
        for (name, value) in variables {
            program = program.env(name, value);
        }
        self.program = program;
    }

    /// Kills it if it still runs, and starts it again with the same configuration and log.
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        self.process = self.program.start(&self.dir);
        self.ports
            .iter()
            .for_each(|port| self.process.wait_for_port(*port));
    }
}
