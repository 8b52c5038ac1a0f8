//! How many files a process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Under this many, an operator is warned: a session takes two.
const FEW: u64 = 4096;

/// Lets the process have as many files open as it may at most. The lower limit that shells and
/// service managers set first is for programs that use select(2).
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    if let Some(files) = files.filter(|files| *files < FEW) {
        tracing::warn!(
            files,
            "few files may be open at once, and a session takes two: raise the limit (systemd: \
             LimitNOFILE; shell: ulimit -n)"
        );
    }
}

/// So many, but no more than a quarter of the files that the process may have open.
#[must_use]
pub fn within_file_limit(count: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    count.min(usize::try_from(files / 4).unwrap_or(usize::MAX))
}
