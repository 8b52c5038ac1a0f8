//! What pages show, out of what is known: texts that the templates put in place. Templates escape what
//! they are given.

pub mod activity;
mod connectors;
mod fleet;
mod mode;
mod settings;
mod spark;
pub mod why;
mod words;

use askama::Template;

pub use connectors::{ConnectorRow, connectors};
pub use fleet::{FleetPage, FleetPart, Problem, problems};
pub use mode::{ModePage, ModePart, newest};
pub use settings::SettingsPage;

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
}

/// A page that says something, and leads back.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// What it says.
    pub why: &'a str,
}
