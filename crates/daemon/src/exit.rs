//! How a program ends when it cannot go on: one line on standard error and an exit code.

use std::process::ExitCode;

use crate::handover::Given;

/// Why a program ends early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or the configuration is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something it needs is not there or does not work: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// A failure at run time that names what failed.
    pub fn failed(what: impl std::fmt::Display, cause: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {cause}"))
    }
}

/// Runs a program, and turns its result into its exit code, after saying in one line what went wrong.
#[must_use]
pub fn report(program: &str, run: impl FnOnce(Given) -> Result<(), Failure>) -> ExitCode {
    let (result, predecessor) = match Given::new() {
        Ok(given) => {
            let predecessor = given.last_words();
            (run(given), Some(predecessor))
        }
        Err(failure) => (Err(failure), None),
    };
    let (code, failure) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure @ Failure::Usage(_)) => (2, failure),
        Err(failure @ Failure::Failed(_)) => (1, failure),
    };
    let line = failure
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    eprintln!("{program}: {line}");
    if let Some(predecessor) = predecessor {
        predecessor.say(&line);
    }
    ExitCode::from(code)
}
