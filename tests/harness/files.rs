//! How many files processes have open, and may have.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::deadline::until;
use crate::process::Process;

/// So long without a change, and files are at rest.
const REST: Duration = Duration::from_millis(500);

/// Lets this test program have as many files open: a test with thousands of connections.
#[track_caller]
pub fn raise_file_limit(files: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= files) {
        return;
    }
    let raised = Rlimit {
        current: Some(files),
        maximum: limit.maximum.map(|maximum| maximum.max(files)),
    };
    setrlimit(Resource::Nofile, raised)
        .unwrap_or_else(|error| panic!("having {files} files open (ulimit -n): {error}"));
}

impl Process {
    /// How many files it has open now, connections included.
    #[track_caller]
    pub fn open_files(&self) -> usize {
        self.descriptors().len()
    }

    /// From now on it may open so many more files, until it closes some: told once it has neither
    /// opened nor closed any for a while, as connections do that looked whether it is ready. The
    /// limit is one of the descriptors' numbers, and a new file has the lowest one that is free
    /// (getrlimit(2)).
    #[track_caller]
    pub fn leave_files(&self, more: usize) {
        let (mut taken, mut rested) = (self.descriptors(), Instant::now());
        until("its files to rest", || {
            let now = self.descriptors();
            if now != taken {
                (taken, rested) = (now, Instant::now());
            }
            (rested.elapsed() >= REST).then_some(())
        });
        let limit = (0..).filter(|number| !taken.contains(number)).nth(more);
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        prlimit(pid, Resource::Nofile, limit)
            .unwrap_or_else(|error| panic!("limiting the files of {self:?}: {error}"));
    }

    #[track_caller]
    fn descriptors(&self) -> BTreeSet<u64> {
        let directory = format!("/proc/{}/fd", self.pid());
        fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("reading {directory}: {error}"))
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// The processor time that it has used, in hundredths of a second.
    #[track_caller]
    pub fn processor_time(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.pid());
        let stat =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {path}: {error}"));
        // Behind the name, in parentheses: utime and stime are the 12th and 13th (proc(5)).
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks
            .map(|ticks| ticks.parse::<u64>().expect("ticks are a number"))
            .sum()
    }
}
