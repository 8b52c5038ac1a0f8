//! `grant add`, `grant remove` and `grant list`.

use envelope::{ClientId, Owner, ZoneId};
use keystore::{Permitted, Store, Zone};
use serde::Serialize;

use crate::Error;
use crate::cli::grant as cli;
use crate::cli::zone::ZoneClient;
use crate::output::{Line, Output, Text};
use crate::source::{open_store, operator};

pub fn run(command: cli::Grant, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Grant::Add(args) => {
            let (store, client) = (open_store(args.grant.store)?, client(args.grant.client));
            let zone = args.grant.zone;
            let clients = store.by(operator()).add_grant(&zone, client.as_ref())?;
            answer(&zone, clients, output)
        }
        cli::Grant::Remove(args) => {
            let (store, client) = (open_store(args.grant.store)?, client(args.grant.client));
            let zone = args.grant.zone;
            let clients = store.by(operator()).remove_grant(&zone, client.as_ref())?;
            answer(&zone, clients, output)
        }
        cli::Grant::List(args) => {
            let store = open_store(args.store)?;
            list(&store, args.owner.owner(), output)
        }
    }
}

fn client(client: ZoneClient) -> Option<ClientId> {
    match client {
        ZoneClient::All => None,
        ZoneClient::One(id) => Some(id),
    }
}

fn answer(zone: &ZoneId, clients: Permitted, output: &mut Output<'_>) -> Result<(), Error> {
    let mut text = Text::default().fields(&[
        ("zone", zone.to_string()),
        ("opened by", opened_by(&clients)),
    ]);
    if clients == Permitted::Only(Default::default()) {
        text = text.line("").line(&format!(
            "Nobody opens its values now: pgseal-keymaker grant add --zone {zone} --client …"
        ));
    }
    let answer = GrantLine {
        zone: zone.to_string(),
        clients,
    };
    output.answer(&answer, &text)
}

/// Of one zone, of all that one client opens, or of all.
fn list(store: &Store, owner: Option<Owner>, output: &mut Output<'_>) -> Result<(), Error> {
    let all = |last: Option<&Zone>| store.zones(last.map(|zone| &zone.id), keystore::MAX_PAGE);
    match owner {
        None => output.list::<GrantLine, _>(all),
        Some(Owner::Zone(id)) => {
            let Some(zone) = store.zone(&id)? else {
                return Err(keystore::Error::UnknownZone(id).into());
            };
            let mut one = Some(zone);
            output.list::<GrantLine, _>(|_| Ok(one.take().into_iter().collect()))
        }
        Some(Owner::Client(id)) => {
            if store.client(&id)?.is_none() {
                return Err(keystore::Error::UnknownClient(id).into());
            }
            output.list::<GrantLine, _>(|last: Option<&Zone>| {
                let mut after = last.map(|zone| zone.id.clone());
                loop {
                    let mut page = store.zones(after.as_ref(), keystore::MAX_PAGE)?;
                    after = page.last().map(|zone| zone.id.clone());
                    page.retain(|zone| zone.clients.permits(&id));
                    // A page without any is not the end.
                    if !page.is_empty() || after.is_none() {
                        return Ok(page);
                    }
                }
            })
        }
    }
}

/// Who opens for a zone, for people.
pub fn opened_by(clients: &Permitted) -> String {
    match clients {
        Permitted::All => "all clients".into(),
        Permitted::Only(clients) if clients.is_empty() => "nobody".into(),
        Permitted::Only(clients) => {
            let ids: Vec<_> = clients.iter().map(ClientId::as_str).collect();
            ids.join(", ")
        }
    }
}

#[derive(Serialize)]
struct GrantLine {
    zone: String,
    /// A list of ids, or `*`.
    clients: Permitted,
}

impl From<&Zone> for GrantLine {
    fn from(zone: &Zone) -> Self {
        GrantLine {
            zone: zone.id.to_string(),
            clients: zone.clients.clone(),
        }
    }
}

impl Line for GrantLine {
    const COLUMNS: &'static [&'static str] = &["ZONE", "OPENED BY"];

    fn cells(&self) -> Vec<String> {
        vec![self.zone.clone(), opened_by(&self.clients)]
    }
}
