//! Memory of sessions that do nothing.

use std::fs;

use harness::raw::Session;
use harness::{Address, Cluster, until};

use super::way::Way;

/// As the tables have it.
pub const NAME: &str = "idle";

/// Sessions that are there already when counting begins: what a proxy takes with the first ones, it takes
/// once.
const FIRST: u32 = 10;

/// Resident memory of a way's proxies for one idle session that has asked something once, in KiB.
pub fn kibibytes(database: &Cluster, way: &Way, sessions: u32) -> f64 {
    let session = |_| {
        let mut session = Session::connect(Address::local(way.port).socket());
        session.start();
        session.query("select 1");
        session
    };
    let mut held: Vec<_> = (0..FIRST).map(session).collect();
    let before = resident(&way.processes);
    held.extend((FIRST..sessions).map(session));
    let grown = resident(&way.processes) - before;
    drop(held);
    // PgBouncer keeps its own for who comes next; there is room for these.
    until("the database's sessions to end", || {
        let count = "select count(*) from pg_stat_activity where backend_type = 'client backend'";
        let left: u32 = database.value(count).parse().ok()?;
        (left < sessions + 2 * FIRST).then_some(())
    });
    grown / f64::from(sessions - FIRST)
}

fn resident(processes: &[u32]) -> f64 {
    processes.iter().map(|pid| of(*pid)).sum()
}

fn of(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.unwrap_or_else(|error| panic!("process {pid}: {error}"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.unwrap_or_else(|| panic!("no memory of process {pid}: {status}"))
}
