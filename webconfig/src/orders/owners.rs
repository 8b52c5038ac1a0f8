//! What `ctl zones` and `ctl clients` have in common. Nobody has signed in for these: the audit log names
//! the certificate alone.

use clap::Args;
use control::{KeyView, MAX_OWNERS, OwnersQuery};
use daemon::Failure;
use serde::Serialize;

use super::Output;
use super::ctl::print_json;

/// What is looked for.
#[derive(Args)]
pub struct List {
    /// What ids begin with
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only those after this id
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How many at most, 1 to 500
    #[arg(long, default_value_t = MAX_OWNERS)]
    limit: usize,
    #[command(flatten)]
    output: Output,
}

/// One of them.
#[derive(Args)]
pub struct One {
    /// Its id
    pub id: String,
    #[command(flatten)]
    pub output: Output,
}

/// A new key.
#[derive(Args)]
pub struct Rotate {
    /// Whose
    pub id: String,
    /// Only if this version is active still
    #[arg(long)]
    pub version: Option<u32>,
    #[command(flatten)]
    pub output: Output,
}

impl List {
    /// As it is asked of a server, and how the answer is shown.
    pub fn query(self) -> (OwnersQuery, Output) {
        let query = OwnersQuery {
            prefix: self.prefix,
            after: self.after,
            limit: self.limit,
        };
        (query, self.output)
    }
}

/// That it was not done.
pub fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// Shows an owner and its keys.
///
/// # Errors
/// What was found cannot be written.
pub fn show(
    found: &impl Serialize,
    line: &str,
    keys: &[KeyView],
    output: &Output,
) -> Result<(), Failure> {
    if output.json {
        return print_json(found);
    }
    println!("{line}");
    for key in keys {
        println!(
            "  key {:<4} {:10} {} {} last used {}",
            key.version,
            key.state,
            key.key_id,
            key.public_key,
            key.last_used.as_deref().unwrap_or("never"),
        );
    }
    Ok(())
}

/// Where a list goes on: on standard error, for it is no line of the list.
pub fn tell_more(next: Option<String>) {
    if let Some(next) = next {
        eprintln!("There are more: --after {next}");
    }
}
