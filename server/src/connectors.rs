//! The connectors that listen to this server: whose they are, from where, since when, and of which version.
//! How many there can be is bounded by `Shared::controlling`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::{CONNECTOR, ConnectorView};
use envelope::ClientId;
use keystore::Timestamp;

use crate::cancel::Cancels;

/// The longest version that is believed.
const MAX_VERSION: usize = 32;

/// Those that listen now.
#[derive(Default)]
pub struct Connectors(Mutex<Listening>);

#[derive(Default)]
struct Listening {
    begun: u64,
    by_number: BTreeMap<u64, Connector>,
}

struct Connector {
    client: ClientId,
    address: SocketAddr,
    since: Timestamp,
    version: Option<String>,
}

/// One of them; it is forgotten when this is dropped.
pub struct Registered {
    connectors: Arc<Connectors>,
    number: u64,
}

impl Connectors {
    /// A client begins to listen, and calls itself so.
    pub fn register(
        self: &Arc<Self>,
        client: ClientId,
        address: SocketAddr,
        program: Option<&str>,
    ) -> Registered {
        let connector = Connector {
            client,
            address: SocketAddr::new(address.ip().to_canonical(), address.port()),
            since: Timestamp::now(),
            version: program.and_then(version),
        };
        let mut listening = self.lock();
        listening.begun += 1;
        let number = listening.begun;
        listening.by_number.insert(number, connector);
        Registered {
            connectors: self.clone(),
            number,
        }
    }

    /// All of them, the one that has listened longest first.
    #[must_use]
    pub fn view(&self, sessions: &Cancels) -> Vec<ConnectorView> {
        let sessions = sessions.by_client();
        let listening = self.lock();
        let view = |it: &Connector| ConnectorView {
            client: it.client.to_string(),
            address: it.address.to_string(),
            since: it.since.to_string(),
            version: it.version.clone(),
            sessions: sessions.get(&it.client).copied().unwrap_or_default(),
        };
        listening.by_number.values().map(view).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Listening> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connectors.lock().by_number.remove(&self.number);
    }
}

/// Of what a program calls itself, if it is a connector.
fn version(program: &str) -> Option<String> {
    let version = program.strip_prefix(CONNECTOR)?;
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    let is_one = (1..=MAX_VERSION).contains(&version.len()) && version.bytes().all(is_fine);
    is_one.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_is_known_from_its_beginning_to_its_end() {
        let connectors = Arc::new(Connectors::default());
        let register = |client: &str, address: &str, program| {
            let (client, address) = (client.parse().unwrap(), address.parse().unwrap());
            connectors.register(client, address, program)
        };
        let first = register(
            "app",
            "[::ffff:192.0.2.1]:7",
            Some("pgseal-connector/1.2.3"),
        );
        let _second = register("other", "[2001:db8::1]:8", None);
        let seen = || connectors.view(&Cancels::default());
        let told: Vec<_> = seen()
            .into_iter()
            .map(|it| (it.client, it.address, it.version))
            .collect();
        let version = Some("1.2.3".to_owned());
        let expected = [
            ("app".to_owned(), "192.0.2.1:7".to_owned(), version),
            ("other".to_owned(), "[2001:db8::1]:8".to_owned(), None),
        ];
        assert_eq!(told, expected);
        drop(first);
        assert_eq!(seen().len(), 1);
    }

    #[test]
    fn what_is_no_version_is_not_told() {
        for program in ["curl/8.1", "pgseal-connector/", "pgseal-connector/<b>"] {
            assert_eq!(version(program), None, "{program}");
        }
        let long = |length| format!("{CONNECTOR}{}", "1".repeat(length));
        assert!(version(&long(MAX_VERSION)).is_some());
        assert!(version(&long(MAX_VERSION + 1)).is_none());
    }
}
