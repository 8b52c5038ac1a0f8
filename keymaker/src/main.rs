//! `pgseal-keymaker`: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut out, mut notes) = (std::io::stdout().lock(), std::io::stderr());
    match pgseal_keymaker::run(std::env::args_os(), &mut out, &mut notes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pgseal-keymaker: {error}");
            error.exit_code()
        }
    }
}
