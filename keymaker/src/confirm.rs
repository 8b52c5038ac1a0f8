//! Confirmations of what cannot be undone.

use std::io::{self, BufRead, IsTerminal};

use crate::Error;
use crate::output::Output;

/// Asks on the terminal that `expected` be typed. Where there is none, `instead` says how to confirm
/// on the command line.
pub fn typed(
    output: &mut Output<'_>,
    question: &str,
    expected: &str,
    instead: &str,
) -> Result<(), Error> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::Usage(format!(
            "this cannot be undone: {instead}, or run it on a terminal"
        )));
    }
    output.ask(question)?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(Error::Terminal)?;
    must_be(line.trim(), expected)
}

/// Refuses any other text than the one expected.
pub fn must_be(typed: &str, expected: &str) -> Result<(), Error> {
    if typed == expected {
        return Ok(());
    }
    Err(Error::NotConfirmed {
        expected: expected.into(),
    })
}
