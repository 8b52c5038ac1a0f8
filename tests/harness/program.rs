//! Programs to start: ours, found beside the test, and any other by its path.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::time::Duration;

use crate::deadline::PATIENCE;
use crate::dir::TestDir;
use crate::process::{Process, Stop, spawn};

/// Runs the program unless the test program is gone already: between its start and `setpriv`'s call
/// no signal would tell.
const GUARD: &str = r#"[ "$PPID" = "$0" ] || exit; exec "$@""#;

/// A program with its arguments, ready to be started any number of times. Variables of the
/// environment that begin with `PG` (so `PGSEAL_` too) are not handed down, others are.
#[derive(Clone, Debug)]
pub struct Program {
    label: String,
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    account: Option<String>,
    namespace: Option<String>,
    limit: Duration,
    stop: Stop,
}

/// A program that has run to its end.
#[derive(Debug)]
pub struct Finished {
    /// The exit code, or none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Program {
    /// One of our programs, such as `pgseal-server`, from the directory `PGSEAL_BIN_DIR`, or else
    /// from the build directory of the running test. The test command builds them before.
    pub fn named(name: &str) -> Self {
        let directory = env::var_os("PGSEAL_BIN_DIR").map_or_else(build_directory, PathBuf::from);
        let path = directory.join(name);
        assert!(
            path.is_file(),
            "no {} to test: run `cargo build --workspace` first, or set PGSEAL_BIN_DIR",
            path.display()
        );
        Self::at(path)
    }

    /// The program in this file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let label = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        Self {
            label,
            path,
            arguments: Vec::new(),
            environment: Vec::new(),
            input: Vec::new(),
            account: None,
            namespace: None,
            limit: PATIENCE,
            stop: Stop::Kill,
        }
    }

    /// The file that it is in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same in this file.
    pub(crate) fn moved_to(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Names it in messages and names its log file; otherwise it is called by its file name.
    pub fn label(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives it this standard input; otherwise that is empty.
    pub fn input(mut self, input: impl AsRef<[u8]>) -> Self {
        input.as_ref().clone_into(&mut self.input);
        self
    }

    /// Has it run by another program that ends in running it, such as `prlimit`.
    pub fn under(self, mut runner: Self) -> Self {
        runner.arguments.push(self.path.into_os_string());
        runner.arguments.extend(self.arguments);
        runner.environment.extend(self.environment);
        runner
    }

    /// Runs it as this user, by name or number; only root can.
    pub fn account(mut self, account: Option<&str>) -> Self {
        self.account = account.map(str::to_owned);
        self
    }

    /// Runs it in the network namespace of this name; only root can.
    pub fn namespace(mut self, name: &str) -> Self {
        self.namespace = Some(name.to_owned());
        self
    }

    /// How long it may [`run`](Self::run); otherwise [`PATIENCE`].
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Ends it so; otherwise by [`Stop::Kill`].
    pub(crate) fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Starts it, with a log file in `dir`. A second start appends to the first one's log.
    pub fn start(&self, dir: &TestDir) -> Process {
        let log = dir.join(&format!("{}.log", self.label));
        let output = File::options().create(true).append(true).open(&log);
        let output = output.unwrap_or_else(|error| panic!("opening {}: {error}", log.display()));
        let errors = output
            .try_clone()
            .expect("an open file can be opened twice");
        let child = self.launch(dir, output, errors);
        Process::new(&self.label, child, log, self.stop)
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&self) -> Finished {
        let dir = TestDir::new(&self.label);
        let (stdout, stderr) = (dir.join("stdout"), dir.join("stderr"));
        let child = self.launch(&dir, create(&stdout), create(&stderr));
        let process = Process::new(&self.label, child, stderr, self.stop);
        let code = process.wait_for_end(self.limit).code();
        let stdout = std::fs::read(&stdout).unwrap_or_else(|error| panic!("reading: {error}"));
        Finished {
            code,
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: process.log(),
        }
    }

    fn launch(&self, dir: &TestDir, stdout: File, stderr: File) -> Child {
        let input = dir.write(&format!("{}.stdin", self.label), &self.input);
        let input = File::open(&input).unwrap_or_else(|error| panic!("opening stdin: {error}"));
        // A shell that put this test into the background made it ignore SIGINT and SIGQUIT.
        let mut command = Command::new("env");
        command.arg("--default-signal");
        if let Some(namespace) = &self.namespace {
            command.args(["ip", "netns", "exec", namespace]);
        }
        command.args(["setpriv", "--pdeathsig", self.stop.name()]);
        if let Some(account) = &self.account {
            command
                .arg(format!("--reuid={account}"))
                .arg(format!("--regid={account}"));
            // A user who is a number only is in no other group.
            let number = account.bytes().all(|byte| byte.is_ascii_digit());
            command.arg(if number {
                "--clear-groups"
            } else {
                "--init-groups"
            });
        }
        command
            .args(["--", "sh", "-c", GUARD])
            .arg(id().to_string());
        command.arg(&self.path).args(&self.arguments);
        for (name, _) in
            env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG"))
        {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::from(input))
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0);
        spawn(command).unwrap_or_else(|error| panic!("starting env (coreutils): {error}"))
    }
}

impl Finished {
    /// The output of a program that must have succeeded.
    #[track_caller]
    pub fn success(self) -> String {
        assert!(
            self.code == Some(0),
            "exit code {:?}: {}",
            self.code,
            self.stderr
        );
        self.stdout
    }
}

fn create(path: &Path) -> File {
    File::create(path).unwrap_or_else(|error| panic!("making {}: {error}", path.display()))
}

/// The directory of all builds, usually `target`: also for what tests keep from run to run.
pub fn target() -> PathBuf {
    let mut directory = build_directory();
    directory.pop();
    directory
}

/// `target/debug` for a test in `target/debug/deps`, and for a program beside ours.
pub(crate) fn build_directory() -> PathBuf {
    let test = env::current_exe().unwrap_or_else(|error| panic!("finding this test: {error}"));
    let directory = test.ancestors().skip(1).find(|it| !it.ends_with("deps"));
    directory.expect("a program lies in a directory").to_owned()
}
