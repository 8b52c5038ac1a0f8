//! `pgseal-server`: reads its configuration and runs until it is told to stop.

use std::process::ExitCode;

use daemon::report;

fn main() -> ExitCode {
    report("pgseal-server", pgseal_server::from_command_line)
}
