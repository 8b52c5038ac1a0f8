//! `pgseal-keymaker`: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    match pgseal_keymaker::run(std::env::args_os(), &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pgseal-keymaker: {error}");
            error.exit_code()
        }
    }
}
