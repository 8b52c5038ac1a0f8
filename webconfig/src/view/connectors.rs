//! The connectors, put together from what each server knows of those that listen to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use super::problems::{Kind, Problem};
use crate::fleet::Seen;

/// So many are listed; of a fleet with more, how many there are.
pub const LISTED: usize = 200;

/// A connector, or several that are alike: of one client, from one address, of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorRow {
    /// Whose certificate it has.
    pub client: String,
    /// The address it comes from.
    pub address: String,
    /// Version of the program, where it says that it is a connector.
    pub version: Option<String>,
    /// When the oldest of its connections began, after RFC 3339.
    pub since: String,
    /// Data sessions of its client, on these servers.
    pub sessions: u64,
    /// The servers that it listens to.
    pub servers: Vec<String>,
}

/// All of them, by client and address. What a server that is silent said last is not counted.
pub fn connectors(seen: &[Seen]) -> Vec<ConnectorRow> {
    let mut rows = BTreeMap::<_, ConnectorRow>::new();
    for it in seen.iter().filter(|it| it.known.silent.is_none()) {
        let status = it.known.status.as_ref();
        for view in status
            .into_iter()
            .flat_map(|it| it.connectors.iter().flatten())
        {
            let address = host(&view.address);
            let key = (view.client.clone(), address.clone(), view.version.clone());
            let row = rows.entry(key).or_insert_with(|| ConnectorRow {
                client: view.client.clone(),
                address,
                version: view.version.clone(),
                since: view.since.clone(),
                sessions: 0,
                servers: Vec::new(),
            });
            if view.since < row.since {
                row.since.clone_from(&view.since);
            }
            if row.servers.last() != Some(&it.address) {
                row.servers.push(it.address.clone());
                row.sessions += view.sessions;
            }
        }
    }
    rows.into_values().collect()
}

/// Of those whose version is another than that of each server that it listens to, in its first two parts.
pub fn problems(seen: &[Seen]) -> Vec<Problem> {
    let version_of = |address: &String| {
        let server = seen.iter().find(|it| it.address == *address)?;
        Some(server.known.status.as_ref()?.version.as_str())
    };
    let problem = |row: ConnectorRow| {
        let own = row.version.as_deref()?;
        let mut servers = row.servers.iter().filter_map(version_of);
        let server = servers.next()?;
        let differs = |version: &str| release(version) != release(own);
        (differs(server) && servers.all(differs)).then(|| Problem {
            kind: Kind::Warn,
            server: None,
            what: format!(
                "The connector of {} at {} has version {own}, its servers {server}.",
                row.client, row.address
            ),
        })
    };
    connectors(seen).into_iter().filter_map(problem).collect()
}

fn release(version: &str) -> (Option<&str>, Option<&str>) {
    let mut parts = version.split('.');
    (parts.next(), parts.next())
}

/// Without its port, which says nothing.
fn host(address: &str) -> String {
    let parsed = address.parse::<SocketAddr>();
    parsed.map_or_else(|_| address.to_owned(), |it| it.ip().to_string())
}
