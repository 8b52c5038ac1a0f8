//! Keeps what a process holds out of core dumps and of other processes' sight.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::Failure;

/// No core dumps, and no reading of this process's memory by others of the same user.
///
/// # Errors
/// The operating system refuses.
pub fn harden() -> Result<(), Failure> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|cause| Failure::failed("core dump limit", cause))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|cause| Failure::failed("PR_SET_DUMPABLE", cause))
}
