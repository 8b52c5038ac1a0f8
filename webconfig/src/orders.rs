//! What can be ordered by command line.

mod clients;
mod ctl;
mod owners;
mod totp;
mod user;
mod why;
mod zones;

use clap::{Args, Subcommand};
use daemon::Failure;

use crate::config::Config;
use crate::users::{Role, UserName};

/// An order.
#[derive(Subcommand)]
pub enum Order {
    /// Who may sign in to the page
    #[command(subcommand)]
    User(User),
    /// Look at the fleet and change it, as the page does
    #[command(subcommand)]
    Ctl(Ctl),
}

/// Users of the page.
#[derive(Subcommand)]
pub enum User {
    /// Add a user; the password is asked for, or read from standard input
    Add {
        /// Letters, digits, and . _ - @
        name: UserName,
        /// What it may do
        #[arg(long, value_enum, default_value = "viewer")]
        role: Role,
        /// Take a password of any length; for demonstrations, where whoever guesses it may have the fleet
        #[arg(long)]
        allow_weak_password: bool,
    },
    /// List the users and their roles
    List,
    /// Remove a user, and sign it out everywhere
    Remove {
        /// The user
        name: UserName,
    },
    /// Ask a user for a code of its telephone too (TOTP), and sign it out everywhere
    Totp {
        /// The user
        name: UserName,
        /// Ask for the password alone again
        #[arg(long)]
        off: bool,
    },
    /// Give a user another password, and sign it out everywhere
    Password {
        /// The user
        name: UserName,
    },
}

/// The fleet.
#[derive(Subcommand)]
pub enum Ctl {
    /// Show every server and what is wrong; exit code 1 if something is
    Status(Output),
    /// Change a setting of all servers, or take it back
    Set(Set),
    /// Have a server take no new sessions, or take them again
    Drain(Drain),
    /// Zones: search, show, make, who may open, rotate, destroy
    #[command(subcommand)]
    Zones(zones::Order),
    /// Clients: search, show, add, rotate
    #[command(subcommand)]
    Clients(clients::Order),
    /// Say why a value opens or stays sealed, or what a session has had opened; never what is in a value
    Why(why::Order),
}

/// How it is answered.
#[derive(Args)]
pub struct Output {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// A change of one setting.
#[derive(Args)]
pub struct Set {
    /// The setting, such as zone_mode
    name: String,
    /// Its new value
    #[arg(required_unless_present = "reset")]
    value: Option<String>,
    /// Take it out of the store: each server's file holds again
    #[arg(long, conflicts_with = "value")]
    reset: bool,
    /// Only if the settings still have this number
    #[arg(long)]
    number: Option<u64>,
    #[command(flatten)]
    output: Output,
}

/// Sessions of one server.
#[derive(Args)]
pub struct Drain {
    /// The server, as in `servers`
    server: String,
    /// Take sessions again
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    output: Output,
}

/// Does what is ordered.
///
/// # Errors
/// It was not done; says why.
pub fn run(order: Order, config: Config) -> Result<(), Failure> {
    match order {
        Order::User(order) => user::run(order, config.users_file),
        Order::Ctl(order) => ctl::run(order, &config),
    }
}
