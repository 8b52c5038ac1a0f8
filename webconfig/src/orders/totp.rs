//! `user totp`: a telephone takes a secret over, and shows that it has by a code.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::SystemTime;

use daemon::Failure;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

use crate::totp::{Code, Secret};
use crate::users::UserName;

/// Black on white, whatever the terminal's colours are, and back.
const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
const NO_COLOURS: &str = "\x1b[0m";

/// The longest line that is taken for a code, in bytes.
const MAX_LINE: u64 = 64;

/// A new secret, once somebody has typed a code that was made with it.
pub fn enrol(name: &UserName) -> Result<Secret, Failure> {
    let failed = |cause: io::Error| Failure::failed("code", cause);
    let secret = Secret::new();
    let uri = secret.uri(&name.to_string());
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Have the authenticator of {name} take this over:\n\n{}\n",
        *uri
    )
    .map_err(failed)?;
    if out.is_terminal() {
        let drawn = drawn(&uri).map_err(|why| Failure::failed("code", io::Error::other(why)))?;
        writeln!(out, "{}", *drawn).map_err(failed)?;
    }
    write!(out, "The code that it shows: ").map_err(failed)?;
    out.flush().map_err(failed)?;
    let mut typed = String::new();
    let input = io::stdin().lock();
    io::Read::take(input, MAX_LINE)
        .read_line(&mut typed)
        .map_err(failed)?;
    match secret.step(&Code::typed(typed.trim_ascii()), SystemTime::now()) {
        Some(_) => Ok(secret),
        None => Err(Failure::Failed(
            "the code is not right, and nothing was changed; are the clocks of this host and of the \
             telephone right?"
                .into(),
        )),
    }
}

/// The text as a QR code, two modules a character.
fn drawn(text: &str) -> Result<Zeroizing<String>, qrcode::types::QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)?;
    let drawn = Zeroizing::new(code.render::<Dense1x2>().build());
    let lines = drawn
        .lines()
        .map(|line| format!("{COLOURS}{line}{NO_COLOURS}\n"));
    Ok(Zeroizing::new(lines.collect()))
}
