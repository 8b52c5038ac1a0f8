//! Command lines and configurations as people trip over them: one line that says what, where and
//! what to do, the right exit code, nothing changed, and no secret in it.

mod configuration;
mod files;
mod keymaker;
mod secrets;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use harness::{Finished, Identity, Keys, Program, TestDir};

const SERVER: &str = "pgseal-server";
const CONNECTOR: &str = "pgseal-connector";

/// A directory with a store, its master key, and certificates; what a program needs to start.
struct Place {
    keys: Keys,
    dir: TestDir,
}

impl Place {
    fn new() -> Self {
        Self {
            keys: Keys::new(),
            dir: TestDir::new("usage"),
        }
    }

    /// The lines of a good configuration.
    fn lines(&self, program: &str) -> Vec<String> {
        let path = |key: &str, path: &Path| format!("{key} = '{}'", path.display());
        let tls = |identity: &Identity| {
            [
                path("tls.certificate", &identity.certificate),
                path("tls.private_key", &identity.private_key),
                path("tls.ca", &identity.ca),
            ]
        };
        let (own, identity) = match program {
            SERVER => (
                vec![
                    path("store", &self.keys.store()),
                    path("master_key_file", &self.keys.master_key_file()),
                    "listen = '127.0.0.1:0'".to_owned(),
                    "ops_listen = '127.0.0.1:0'".to_owned(),
                    "database.address = '127.0.0.1:1'".to_owned(),
                ],
                self.keys.server_identity("primary"),
            ),
            _ => (
                vec![
                    "listen = '127.0.0.1:0'".to_owned(),
                    "api_listen = '127.0.0.1:0'".to_owned(),
                    "server = '127.0.0.1:1'".to_owned(),
                ],
                self.keys.client_identity("app"),
            ),
        };
        own.into_iter().chain(tls(&identity)).collect()
    }

    /// Writes a good configuration but for these lines: each takes the place of the one with its
    /// key, or is added at the end. One that is only a key takes that away.
    fn config(&self, program: &str, changes: &[&str]) -> PathBuf {
        let key = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
        let mut lines = self.lines(program);
        for change in changes {
            let same = lines.iter().position(|line| key(line) == key(change));
            match (same, change.contains(" = ")) {
                (Some(at), true) => lines[at] = (*change).to_owned(),
                (Some(at), false) => drop(lines.remove(at)),
                (None, _) => lines.push((*change).to_owned()),
            }
        }
        self.dir.write("config.toml", lines.join("\n") + "\n")
    }

    /// The program with a good configuration but for these lines.
    fn program(&self, program: &str, changes: &[&str]) -> Program {
        let config = self.config(program, changes);
        Program::named(program).arg("--config").arg(config)
    }

    /// Runs what is to fail with this code, and gives the one line it says. Nothing is changed by
    /// it, and no secret is in it.
    #[track_caller]
    fn refuses(&self, program: &Program, code: i32) -> String {
        let before = self.files();
        let finished = program.run();
        assert!(self.files() == before, "files have changed: {finished:?}");
        self.one_line(&finished, code)
    }

    #[track_caller]
    fn one_line(&self, finished: &Finished, code: i32) -> String {
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert_eq!(finished.stdout, "", "{finished:?}");
        let line = finished.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(!line.is_empty() && !line.contains('\n'), "{finished:?}");
        let (program, says) = line.split_once(": ").unwrap();
        assert!(program.starts_with("pgseal-"), "{line}");
        let master_key = fs::read_to_string(self.keys.master_key_file()).unwrap_or_default();
        let secrets = ["canary", master_key.trim()];
        let told = secrets
            .iter()
            .any(|secret| !secret.is_empty() && line.contains(secret));
        assert!(!told, "a secret: {line}");
        says.to_owned()
    }

    /// Every file with mode and content.
    fn files(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        let directories = [
            self.dir.path().to_owned(),
            self.keys.store().parent().unwrap().to_owned(),
        ];
        let mut files: Vec<_> = directories
            .iter()
            .flat_map(|directory| fs::read_dir(directory).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| {
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                let content = fs::read(&path).unwrap();
                (path, mode, content)
            })
            .collect();
        files.sort();
        files
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_good_configuration_is_in_order_even_where_the_ports_are_in_use() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen = '{}'", taken.local_addr().unwrap());
    for program in [SERVER, CONNECTOR] {
        let check = place.program(program, &[&listen]).arg("--check-config");
        let before = place.files();
        let said = check.run().success();
        assert_eq!(said, format!("{program}: the configuration is in order\n"));
        assert!(place.files() == before);
    }
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (program, key) in [
        (SERVER, "listen"),
        (SERVER, "ops_listen"),
        (CONNECTOR, "listen"),
        (CONNECTOR, "api_listen"),
    ] {
        let line = format!("{key} = '{address}'");
        let finished = place
            .program(program, &[&line, "log.level = 'error'"])
            .run();
        let says = place.one_line(&finished, 1);
        assert_eq!(
            says,
            format!("{key}: {address}: Address already in use (os error 98)")
        );
    }
}
