//! Sockets that a service manager listens on and passes to the program: the protocol of
//! sd_listen_fds(3).

use std::os::fd::OwnedFd;

use listenfd::ListenFd;

use super::pair::MAX_SOCKETS;
use crate::Failure;

/// Those that were passed to this process. To be called before it opens anything.
///
/// # Errors
/// They are none that can be listened on.
pub fn passed() -> Result<Vec<OwnedFd>, Failure> {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    // A variable that another process was given, and handed down.
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(Vec::new());
    }
    let count = std::env::var("LISTEN_FDS").unwrap_or_default();
    if !count.parse().is_ok_and(|count: usize| count <= MAX_SOCKETS) {
        return Err(Failure::Usage(format!(
            "LISTEN_FDS: `{count}` is no number of sockets up to {MAX_SOCKETS}"
        )));
    }
    let mut passed = ListenFd::from_env();
    (0..passed.len()).map(|at| take(&mut passed, at)).collect()
}

fn take(passed: &mut ListenFd, at: usize) -> Result<OwnedFd, Failure> {
    let by_tcp = passed.take_tcp_listener(at).ok().flatten();
    let socket = match by_tcp {
        Some(listener) => Some(listener.into()),
        None => passed.take_unix_listener(at).ok().flatten().map(Into::into),
    };
    socket.ok_or_else(|| {
        Failure::Usage(format!(
            "LISTEN_FDS: number {} of what the service manager has passed is neither a TCP socket nor a \
             unix socket for streams",
            at + 1
        ))
    })
}
