//! What pages show, out of what is known: texts that the templates put in place. Templates escape what
//! they are given.

pub mod activity;
mod clients;
mod connectors;
mod fleet;
mod mode;
mod problems;
mod settings;
mod spark;
pub mod why;
mod words;
mod zones;

use askama::Template;
use control::percent_encoded;

pub use clients::{ClientPage, ClientsPage};
pub use connectors::{ConnectorRow, connectors};
pub use fleet::{FleetPage, FleetPart};
pub use mode::{ModePage, ModePart, newest};
pub use problems::{Problem, problems};
pub use settings::SettingsPage;
pub use zones::{ZonePage, ZonesPage, opened_by};

/// What every page has of somebody who is signed in.
pub struct Frame<'a> {
    /// Which page it is.
    pub here: &'static str,
    /// Who is signed in,
    pub user: String,
    /// as what,
    pub role: &'static str,
    /// and so whether there is anything to change with.
    pub may_change: bool,
    /// What its forms hold.
    pub token: &'a str,
    /// What became of what was asked last.
    pub notice: Option<String>,
}

/// A page of a list that is searched.
pub struct Search {
    /// What is looked for: how ids begin.
    pub begins: String,
    /// Where its first page is, if this is a later one,
    pub first: Option<String>,
    /// and the next, if there is one.
    pub next: Option<String>,
    /// Why there is nothing to see.
    pub problem: Option<String>,
}

impl Search {
    /// A page of the list at `path`: the one after an id, or the first; `next` comes after another.
    #[must_use]
    pub fn new(path: &str, begins: String, after: Option<&str>, next: Option<&str>) -> Self {
        let first = format!("{path}?q={}", percent_encoded(&begins));
        Self {
            next: next.map(|it| format!("{first}&after={}", percent_encoded(it))),
            first: after.map(|_| first),
            begins,
            problem: None,
        }
    }
}

/// The sign-in form.
#[derive(Template)]
#[template(path = "sign-in.html")]
pub struct SignIn<'a> {
    /// What the form holds.
    pub token: &'a str,
    /// What was written as a name before.
    pub name: &'a str,
    /// Why it did not do.
    pub why: Option<&'a str>,
    /// Whether somebody has codes.
    pub asks_for_codes: bool,
}

/// A page that says something, and leads back.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// What it says.
    pub why: &'a str,
}
