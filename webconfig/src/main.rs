//! `pgseal-webconfig`: reads its configuration and runs until it is told to stop.

use std::process::ExitCode;

use daemon::report;

fn main() -> ExitCode {
    report("pgseal-webconfig", pgseal_webconfig::from_command_line)
}
