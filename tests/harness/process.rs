//! Running processes: their logs, their signals, and that none outlives the test.
//!
//! Dropping a [`Process`] ends it. Should the test program itself be killed, the kernel does it:
//! `setpriv --pdeathsig` asks for a signal when the *thread* that started the process ends, so all
//! are started by one thread that lives as long as the test program.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, kill_process, kill_process_group, pidfd_open};

pub use rustix::process::Signal;

use crate::clock;
use crate::deadline::{PATIENCE, until, within};

/// How much of a log is shown when a test fails.
const TAIL_LINES: usize = 40;

/// What a log has in it after a panic: Rust's own words, and those of our daemons, which leave out
/// what may hold a secret.
const PANICS: [&str; 2] = ["panicked at", "a defect ended this task"];

/// How long a process may take over its own stop signal before it is killed.
const STOP_TIME: Duration = Duration::from_secs(5);

/// How a process is ended that has no say in it: on drop, or by the kernel when the test program
/// dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// SIGKILL, for most.
    Kill,
    /// SIGQUIT, PostgreSQL's immediate shutdown: killed it would leave shared memory behind.
    Quit,
    /// SIGTERM, for who has to end something else first.
    Terminate,
}

impl Stop {
    /// As `setpriv` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Quit => Signal::QUIT,
            Self::Terminate => Signal::TERM,
        }
    }
}

/// A process under test, in a process group of its own. Dropping it ends the group and waits for the
/// end. While a test panics, dropping
/// also prints the end of the log; and where the log tells of a panic of the process, dropping
/// fails the test.
#[derive(Debug)]
pub struct Process {
    label: String,
    running: Running,
    pid: Pid,
    log: PathBuf,
    stop: Stop,
}

/// By what its end is known.
#[derive(Debug)]
enum Running {
    /// It was started here.
    Child(Mutex<Child>),
    /// Another process has started it: a descriptor of the process, which becomes readable.
    Other(OwnedFd),
}

impl Process {
    /// One that this one has started, and that writes to the same log. Its exit status is not known: it
    /// counts as a success. Should the test program be killed, it is not ended with it.
    #[track_caller]
    pub(crate) fn successor(&self, pid: u32) -> Self {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.unwrap_or_else(|| panic!("no process id"));
        let descriptor = pidfd_open(pid, PidfdFlags::empty());
        let descriptor =
            descriptor.unwrap_or_else(|error| panic!("the successor of {}: {error}", self.label));
        Self {
            label: self.label.clone(),
            running: Running::Other(descriptor),
            pid,
            log: self.log.clone(),
            stop: self.stop,
        }
    }

    pub(crate) fn new(label: &str, child: Child, log: PathBuf, stop: Stop) -> Self {
        let pid = Pid::from_child(&child);
        Self {
            label: label.to_owned(),
            running: Running::Child(Mutex::new(child)),
            pid,
            log,
            stop,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// All it has written to standard output and standard error so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log_bytes()).into_owned()
    }

    /// [`log`](Self::log) as bytes, for [`scan`](crate::scan).
    pub fn log_bytes(&self) -> Vec<u8> {
        read(&self.log)
    }

    /// Whether its log tells of a panic.
    pub fn panicked(&self) -> bool {
        let log = self.log();
        PANICS.iter().any(|words| log.contains(words))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal)
            .unwrap_or_else(|error| panic!("sending {signal:?} to {}: {error}", self.label));
    }

    /// Its exit status if it has ended.
    pub fn ended(&self) -> Option<ExitStatus> {
        let waited = match &self.running {
            Running::Child(child) => {
                let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
                child.try_wait()
            }
            Running::Other(descriptor) => {
                let mut ends = [PollFd::new(descriptor, PollFlags::IN)];
                poll(&mut ends, Some(&Timespec::default()))
                    .map(|count| (count > 0).then(ExitStatus::default))
                    .map_err(Into::into)
            }
        };
        waited.unwrap_or_else(|error| panic!("waiting for {}: {error}", self.label))
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn wait(&self) -> ExitStatus {
        self.wait_for_end(PATIENCE)
    }

    /// [`wait`](Self::wait), as long as this.
    #[track_caller]
    pub(crate) fn wait_for_end(&self, limit: Duration) -> ExitStatus {
        within(limit, &format!("the end of {}", self.label), || {
            self.ended()
        })
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(&self) -> ExitStatus {
        // Once it has ended and been waited for, its id may be another's.
        if self.ended().is_none() {
            self.signal(Signal::KILL);
        }
        self.wait()
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn terminate(&self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until its log has a line that contains `text`, and returns that line.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        self.wait_for(&format!("a line with '{text}'"), || {
            self.log()
                .lines()
                .find(|line| line.contains(text))
                .map(str::to_owned)
        })
    }

    /// Waits until something listens on this TCP port, in the process's network namespace. It looks
    /// into the kernel's table and does not connect, so the program meets no connection that the test
    /// did not make.
    #[track_caller]
    pub fn wait_for_port(&self, port: u16) {
        self.wait_for(&format!("a listener on port {port}"), || {
            listens(self.pid(), port).then_some(())
        });
    }

    /// Waits for something that only a running process can bring about.
    #[track_caller]
    fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        until(&format!("{what} from {}", self.label), || {
            let ended = self.ended();
            let found = look();
            if let (None, Some(status)) = (&found, ended) {
                panic!("{} ended too early: {status}", self.label);
            }
            found
        })
    }

    /// Resident memory now, in bytes.
    pub fn resident_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory it ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> u64 {
        let status = format!("/proc/{}/status", self.pid());
        let text = String::from_utf8_lossy(&read(Path::new(&status))).into_owned();
        let kibibytes: u64 = text
            .lines()
            .find_map(|line| {
                line.strip_prefix(field)?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse()
                    .ok()
            })
            .unwrap_or_else(|| panic!("no {field} in {status}"));
        1024 * kibibytes
    }

    fn print_tail(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let start = lines.len().saturating_sub(TAIL_LINES);
        eprintln!("---- the last of {} ({})", self.label, self.pid());
        for line in lines.iter().skip(start) {
            eprintln!("{line}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // The whole group: it may have started something itself.
            let _ = match self.running {
                Running::Child(_) => kill_process_group(self.pid, self.stop.signal()),
                // It is in the group of the one that has started it.
                Running::Other(_) => kill_process(self.pid, self.stop.signal()),
            };
            let end = Instant::now() + STOP_TIME;
            while self.ended().is_none() && Instant::now() < end {
                thread::sleep(Duration::from_millis(1));
            }
            self.kill();
        }
        clock::forget(self.pid());
        if thread::panicking() {
            self.print_tail();
        } else if self.panicked() {
            self.print_tail();
            panic!("{} panicked", self.label);
        }
    }
}

/// Starts `command` from the thread that all processes under test are started from.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static NURSERY: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (orders, received) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in received {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (reply, spawned) = channel();
    NURSERY
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .expect("the nursery lives as long as its static sender");
    spawned.recv().expect("the nursery answers every order")
}

/// True if a TCP socket listens on this port, as the process sees it.
fn listens(pid: u32, port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    // A process that has just ended has no table any more; its end is found elsewhere.
    let table = fs::read(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    String::from_utf8_lossy(&table).lines().any(|line| {
        // sl local_address rem_address st …; state 0A is LISTEN.
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&suffix)) && fields.nth(1) == Some("0A")
    })
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}
