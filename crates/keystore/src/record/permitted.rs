//! Who may open for a zone.

use std::collections::BTreeSet;

use envelope::ClientId;
use serde::{Deserialize, Serialize};

use super::client_id;

/// The clients that may open for a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PermittedBody", into = "PermittedBody")]
pub enum Permitted {
    /// Every client, said explicitly: `*`.
    All,
    /// These clients and no other.
    Only(BTreeSet<ClientId>),
}

impl Permitted {
    /// Whether this client is among them.
    pub fn permits(&self, client: &ClientId) -> bool {
        match self {
            Permitted::All => true,
            Permitted::Only(clients) => clients.contains(client),
        }
    }
}

/// `"*"`, or the ids in their order.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PermittedBody {
    All(String),
    Only(Vec<String>),
}

impl From<Permitted> for PermittedBody {
    fn from(permitted: Permitted) -> Self {
        match permitted {
            Permitted::All => PermittedBody::All("*".into()),
            Permitted::Only(clients) => {
                PermittedBody::Only(clients.iter().map(ClientId::to_string).collect())
            }
        }
    }
}

impl TryFrom<PermittedBody> for Permitted {
    type Error = String;

    fn try_from(body: PermittedBody) -> Result<Self, String> {
        match body {
            PermittedBody::All(star) if star == "*" => Ok(Permitted::All),
            PermittedBody::All(other) => Err(format!("clients are a list or \"*\", not {other:?}")),
            PermittedBody::Only(clients) => {
                let ids = clients.iter().map(|id| client_id(id));
                Ok(Permitted::Only(ids.collect::<Result<_, _>>()?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_permits_its_clients_and_the_star_every_one() {
        let [app, other] = ["app", "other"].map(|id| ClientId::try_from(id).unwrap());
        let only = Permitted::Only([app.clone()].into());
        assert!(only.permits(&app) && !only.permits(&other));
        assert!(!Permitted::Only(BTreeSet::new()).permits(&app));
        assert!(Permitted::All.permits(&other));
    }
}
