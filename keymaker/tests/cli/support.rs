//! A directory to work in, and the real program run in it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use keystore::{MasterKey, Store};
use serde_json::Value;
use tempfile::TempDir;

pub const PASSPHRASE: &str = "canary passphrase";

/// A directory with, after [`Place::init`], `store.db`, `master.key` and a CA in `ca`.
pub struct Place {
    pub directory: TempDir,
}

impl Place {
    pub fn empty() -> Self {
        // In memory: what is written to the disk for safety is not what is tested here.
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        Place {
            directory: directory.unwrap(),
        }
    }

    /// A copy of one that was made once: deriving the CA's key is meant to be slow.
    pub fn init() -> Self {
        static ORIGIN: LazyLock<Place> = LazyLock::new(Place::fresh);
        let place = Place::empty();
        fs::create_dir(place.path("ca")).unwrap();
        set_mode(&place.path("ca"), 0o700);
        for name in ["store.db", "master.key", "ca/ca.crt", "ca/ca.key"] {
            fs::copy(ORIGIN.path(name), place.path(name)).unwrap();
        }
        place
    }

    /// With keys that no other test has.
    pub fn fresh() -> Self {
        let place = Place::empty();
        place.ok("init --store store.db --master-key-file master.key --ca-dir ca");
        place
    }

    /// With the clients `app` and `billing`, and the zone `tenant-1` of both.
    pub fn filled() -> Self {
        let place = Place::init();
        place.store_ok("client add app --create-zones");
        place.store_ok("client add billing");
        place.store_ok("zone add tenant-1 --client billing --client app");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The program, with the CA passphrase in its environment and nothing else of ours.
    pub fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgseal-keymaker"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .args(args)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", path)
            .env("PGSEAL_CA_PASSPHRASE", PASSPHRASE)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line of words without blanks in them.
    pub fn run(&self, line: &str) -> Output {
        self.command(line.split_whitespace()).output().unwrap()
    }

    pub fn ok(&self, line: &str) -> String {
        text_of(&self.run(line), line)
    }

    /// The same for a command that needs the store.
    pub fn store_ok(&self, line: &str) -> String {
        self.ok(&with_store(line))
    }

    pub fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    /// What a command for the store answers in JSON.
    pub fn store_json(&self, line: &str) -> Value {
        self.json(&with_store(line))
    }

    /// The store, opened as a server opens it.
    pub fn open(&self) -> Store {
        let master = MasterKey::from_file(&self.path("master.key")).unwrap();
        Store::open(self.path("store.db"), master).unwrap()
    }

    /// The one line of a command for the store that fails and changes no file.
    pub fn store_fails(&self, code: i32, line: &str) -> String {
        self.fails(code, &with_store(line))
    }

    /// Runs a command for the store with a terminal to type at; what it says, and its exit code.
    pub fn types(&self, line: &str, typed: &str) -> (String, i32) {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let input = fs::File::open(OsStr::from_bytes(name.as_bytes())).unwrap();
        fs::File::from(terminal.try_clone().unwrap())
            .write_all(format!("{typed}\n").as_bytes())
            .unwrap();
        let line = with_store(line);
        let mut command = self.command(line.split_whitespace());
        let output = command.stdin(input).output().unwrap();
        let said = [output.stderr, output.stdout].concat();
        (
            String::from_utf8(said).unwrap(),
            output.status.code().unwrap(),
        )
    }

    /// The one line of a command that fails with this exit code and changes no file.
    pub fn fails(&self, code: i32, line: &str) -> String {
        self.command_fails(code, &mut self.command(line.split_whitespace()))
    }

    pub fn command_fails(&self, code: i32, command: &mut Command) -> String {
        let before = files(self.directory.path());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{command:?}");
        assert!(
            files(self.directory.path()) == before,
            "{command:?}: {said}"
        );
        let line = said.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "{line}");
        line.strip_prefix("pgseal-keymaker: ").unwrap().to_owned()
    }
}

/// Adds the options that name the store and its master key.
pub fn with_store(line: &str) -> String {
    format!("{line} --store store.db --master-key-file master.key")
}

pub fn text_of(output: &Output, what: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
    assert_eq!(said, "", "{what}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Every file and directory below, with mode and content.
pub fn files(directory: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = mode(&path);
        if path.is_dir() {
            found.extend(files(&path));
            found.push((path, mode, Vec::new()));
        } else {
            let content = fs::read(&path).unwrap();
            found.push((path, mode, content));
        }
    }
    found.sort();
    found
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
