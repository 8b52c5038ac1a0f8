//! A clock that is wrong, for one program: Debian's libfaketime. Time goes by as ever; what it is by the
//! wall is another.

use std::fs;
use std::path::Path;

use crate::program::Program;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// What a program's environment says for its clock to be wrong by this much, such as `-1h`.
#[must_use]
pub fn wrong_clock(offset: &str) -> [(&'static str, &str); 4] {
    assert!(
        Path::new(LIBRARY).is_file(),
        "no {LIBRARY} to test with: `apt-get install faketime`"
    );
    [
        ("LD_PRELOAD", LIBRARY),
        ("FAKETIME", offset),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
    ]
}

/// The program with its clock wrong by this much, if any. It alone: what changes the user before it starts
/// would keep for itself what the library shares.
pub(crate) fn with_clock(program: Program, offset: Option<&str>) -> Program {
    let Some(offset) = offset else {
        return program;
    };
    let variables = wrong_clock(offset).map(|(name, value)| format!("{name}={value}"));
    program.under(Program::at("/usr/bin/env").args(variables))
}

/// Removes what the library leaves behind of a process that was killed.
pub(crate) fn forget(pid: u32) {
    for name in ["faketime_shm", "sem.faketime_sem"] {
        // Most processes have a clock that is right.
        let _ = fs::remove_file(format!("/dev/shm/{name}_{pid}"));
    }
}
