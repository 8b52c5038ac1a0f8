//! `zone add`, `zone list` and `zone show`.

use envelope::{ClientId, Owner};
use keystore::{NewZone, Permitted, Zone};
use serde::Serialize;

use crate::Error;
use crate::cli::{self, ZoneClient};
use crate::key::{KeyLine, PublicKeyAnswer};
use crate::output::{Line, Output, Text};
use crate::source::{open_store, operator};

pub fn run(command: cli::Zone, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Zone::Add(args) => add(args, output),
        cli::Zone::List(args) => {
            let store = open_store(args.store)?;
            let page =
                |last: Option<&Zone>| store.zones(last.map(|zone| &zone.id), keystore::MAX_PAGE);
            output.list::<ZoneLine, _>(page)
        }
        cli::Zone::Show(args) => show(args, output),
    }
}

fn add(args: cli::ZoneAdd, output: &mut Output<'_>) -> Result<(), Error> {
    let clients = permitted(args.clients)?;
    let store = open_store(args.store)?;
    let key = store.by(operator()).add_zone(&NewZone {
        id: args.id,
        clients: clients.clone(),
        creator: None,
    })?;
    let answer = PublicKeyAnswer::from(&key);
    let text = Text::default()
        .fields(&[
            ("zone", key.owner.id().into()),
            ("opened by", list(&clients)),
        ])
        .line("")
        .fields(&answer.fields());
    output.answer(&answer, &text)
}

fn show(args: cli::ZoneShow, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let Some(zone) = store.zone(&args.id)? else {
        return Err(keystore::Error::UnknownZone(args.id).into());
    };
    let owner = Owner::Zone(args.id);
    let mut keys = store.keys(Some(&owner), None, keystore::MAX_PAGE)?;
    let mut lines = Vec::new();
    while let Some(last) = keys.last() {
        lines.extend(keys.iter().map(KeyLine::from));
        keys = store.keys(Some(&owner), Some(last), keystore::MAX_PAGE)?;
    }
    let answer = ZoneAnswer {
        line: ZoneLine::from(&zone),
        keys: lines,
    };
    let text = Text::default()
        .fields(&[
            ("zone", answer.line.id.clone()),
            ("opened by", list(&zone.clients)),
            ("created by", creator(&zone.creator)),
            ("created", answer.line.created.clone()),
        ])
        .line("")
        .table(&answer.keys);
    output.answer(&answer, &text)
}

/// The clients of `--client`: `*` alone, or ids.
fn permitted(clients: Vec<ZoneClient>) -> Result<Permitted, Error> {
    if let [ZoneClient::All] = clients[..] {
        return Ok(Permitted::All);
    }
    let one = |client| match client {
        ZoneClient::One(id) => Ok(id),
        ZoneClient::All => Err(Error::Usage(
            "--client '*' stands for all clients and goes with no other --client".into(),
        )),
    };
    Ok(Permitted::Only(
        clients.into_iter().map(one).collect::<Result<_, _>>()?,
    ))
}

fn list(clients: &Permitted) -> String {
    match clients {
        Permitted::All => "all clients".into(),
        Permitted::Only(clients) if clients.is_empty() => "nobody".into(),
        Permitted::Only(clients) => {
            let ids: Vec<_> = clients.iter().map(ClientId::as_str).collect();
            ids.join(", ")
        }
    }
}

fn creator(creator: &Option<ClientId>) -> String {
    match creator {
        Some(client) => format!("client {client}"),
        None => "an operator".into(),
    }
}

#[derive(Serialize)]
struct ZoneAnswer {
    #[serde(flatten)]
    line: ZoneLine,
    keys: Vec<KeyLine>,
}

#[derive(Serialize)]
struct ZoneLine {
    id: String,
    /// A list of ids, or `*`.
    clients: Permitted,
    /// `null` when an operator made it.
    creator: Option<String>,
    active_version: u32,
    created: String,
}

impl From<&Zone> for ZoneLine {
    fn from(zone: &Zone) -> Self {
        ZoneLine {
            id: zone.id.to_string(),
            clients: zone.clients.clone(),
            creator: zone.creator.as_ref().map(ClientId::to_string),
            active_version: zone.active,
            created: zone.created.to_string(),
        }
    }
}

impl Line for ZoneLine {
    const COLUMNS: &'static [&'static str] = &["ZONE", "KEY VERSION", "CREATED", "OPENED BY"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.active_version.to_string(),
            self.created.clone(),
            list(&self.clients),
        ]
    }
}
