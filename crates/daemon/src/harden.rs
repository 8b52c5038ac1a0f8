//! Keeps what a process holds out of core dumps, out of other processes' sight, and off the swap.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{CapabilitySet, capabilities};
use serde::{Deserialize, Serialize};

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

/// Whether memory is kept from being swapped out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMemory {
    /// Where the system allows it; the log says where it does not.
    #[default]
    Auto,
    /// Or the program does not start.
    Require,
    /// Not.
    Off,
}

/// Locks all memory that the process has and will have, each page from the moment it is used. For
/// good, so before there are secrets and threads.
///
/// Only where there is no limit to it: under a limit a later allocation would fail, and end the
/// program.
///
/// Gives what to tell the operator where nothing is locked and should be.
///
/// # Errors
/// It is required and cannot be.
pub fn lock_memory(wish: LockMemory) -> Result<Option<String>, Failure> {
    if wish == LockMemory::Off {
        return Ok(None);
    }
    let why = match may_lock_all() {
        false => "RLIMIT_MEMLOCK is limited".to_owned(),
        true => {
            let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
            match mlockall(all) {
                Ok(()) => return Ok(None),
                Err(cause) => cause.to_string(),
            }
        }
    };
    let line = format!(
        "memory cannot be locked ({why}), so keys may be swapped to disk: raise the limit \
         (systemd: LimitMEMLOCK=infinity; shell: ulimit -l unlimited)"
    );
    match wish {
        LockMemory::Require => Err(Failure::Failed(format!("lock_memory: {line}"))),
        _ => Ok(Some(format!("{line}, or set lock_memory = \"off\""))),
    }
}

fn may_lock_all() -> bool {
    let is_unlimited = getrlimit(Resource::Memlock).current.is_none();
    is_unlimited
        || capabilities(None).is_ok_and(|held| held.effective.contains(CapabilitySet::IPC_LOCK))
}
