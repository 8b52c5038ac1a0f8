//! `pgseal-connector`: reads its configuration and runs until it is told to stop.

use std::process::ExitCode;

use daemon::report;

fn main() -> ExitCode {
    report("pgseal-connector", pgseal_connector::from_command_line)
}
