//! Clients: those that are looked for, and one with its keys.

use askama::Template;
use control::{ClientDetail, ClientView, KeyView};

use super::{Frame, Search};

/// Those that are looked for.
#[derive(Template)]
#[template(path = "clients.html")]
pub struct ClientsPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What is looked for, and where in it this page is.
    pub search: Search,
    pub clients: Vec<Row>,
}

/// A client in a list.
pub struct Row {
    pub id: String,
    pub zones: String,
    pub version: u32,
    pub created: String,
}

/// One client.
#[derive(Template)]
#[template(path = "client.html")]
pub struct ClientPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    pub client: ClientView,
    /// Whether it may create zones, in words.
    pub zones: String,
    pub keys: Vec<KeyView>,
}

impl<'a> ClientsPage<'a> {
    /// A page of what was found.
    pub fn new(frame: Frame<'a>, search: Search, clients: Vec<ClientView>) -> Self {
        let row = |client: ClientView| Row {
            zones: zones(&client),
            id: client.id,
            version: client.active_version,
            created: client.created,
        };
        Self {
            clients: clients.into_iter().map(row).collect(),
            search,
            frame,
        }
    }
}

impl<'a> ClientPage<'a> {
    /// As it is now.
    pub fn new(frame: Frame<'a>, ClientDetail { client, keys }: ClientDetail) -> Self {
        Self {
            zones: zones(&client),
            keys,
            client,
            frame,
        }
    }
}

/// Whether a client may create zones.
fn zones(client: &ClientView) -> String {
    match (client.create_zones, client.zones_per_day) {
        (false, _) => "creates none".into(),
        (true, None) => "creates any number".into(),
        (true, Some(most)) => format!("creates up to {most} a day"),
    }
}
