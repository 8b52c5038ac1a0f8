//! How many files processes have open, and may have.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::process::Process;

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
        let directory = format!("/proc/{}/fd", self.pid());
        fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("reading {directory}: {error}"))
            .count()
    }

    /// From now on it may have no more files open than these.
    #[track_caller]
    pub fn limit_files(&self, files: u64) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: Some(files),
            maximum: Some(files),
        };
        prlimit(pid, Resource::Nofile, limit)
            .unwrap_or_else(|error| panic!("limiting the files of {self:?}: {error}"));
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
