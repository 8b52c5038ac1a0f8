//! `zone add`, `zone list` and `zone show`. What destroys zones is in `zone/destroy`.

mod destroy;

use envelope::{ClientId, Owner};
use keystore::{Fate, NewZone, Permitted, Store, Timestamp, Zone};
use serde::Serialize;

use crate::Error;
use crate::cli::zone::{self as cli, ZoneClient};
use crate::grant::opened_by;
use crate::key::{KeyLine, PublicKeyAnswer, UsedKey};
use crate::output::{Line, Output, Text};
use crate::source::{open_store, operator};

pub fn run(command: cli::Zone, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Zone::Add(args) => add(args, output),
        cli::Zone::List(args) => {
            let store = open_store(args.store)?;
            output.list::<ZoneLine, _>(|last: Option<&FatedZone>| {
                let page = store.zones(last.map(|last| &last.zone.id), keystore::MAX_PAGE)?;
                page.into_iter()
                    .map(|zone| FatedZone::of(&store, zone))
                    .collect()
            })
        }
        cli::Zone::Show(args) => show(args, output),
        cli::Zone::Destroy(args) => destroy::destroy(args, output),
        cli::Zone::Keep(args) => destroy::keep(args, output),
        cli::Zone::Receipt(args) => destroy::receipt(args, output),
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
            ("opened by", opened_by(&clients)),
        ])
        .line("")
        .fields(&answer.fields())
        .line("")
        .line("Writers get the key from the control API, or from `key export-public`.");
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
    while let Some(last) = keys.last().cloned() {
        for key in keys {
            lines.push(KeyLine::from(&UsedKey::of(&store, key)?));
        }
        keys = store.keys(Some(&owner), Some(&last), keystore::MAX_PAGE)?;
    }
    let answer = ZoneAnswer {
        line: ZoneLine::from(&FatedZone::of(&store, zone)?),
        keys: lines,
    };
    let text = Text::default()
        .fields(&[
            ("zone", answer.line.id.clone()),
            ("opened by", opened_by(&answer.line.clients)),
            ("created by", creator(&answer.line.creator)),
            ("created", answer.line.created.clone()),
            ("fate", answer.line.fate.told()),
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

fn creator(creator: &Option<String>) -> String {
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

/// A zone, and when it ends.
struct FatedZone {
    zone: Zone,
    /// At the earliest, if it is to be destroyed.
    end: Option<Timestamp>,
}

impl FatedZone {
    fn of(store: &Store, zone: Zone) -> Result<Self, keystore::Error> {
        let end = match zone.fate {
            Fate::Destroying { due, .. } => Some(store.earliest_end(due)?),
            Fate::Kept | Fate::Destroyed { .. } => None,
        };
        Ok(FatedZone { zone, end })
    }
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
    #[serde(flatten)]
    fate: FateAnswer,
}

/// What is to become of a zone; times are `null` where they do not apply.
#[derive(Serialize)]
struct FateAnswer {
    /// `kept`, `destroying` or `destroyed`.
    fate: &'static str,
    ordered: Option<String>,
    earliest_end: Option<String>,
    destroyed: Option<String>,
}

impl From<&FatedZone> for FateAnswer {
    fn from(fated: &FatedZone) -> Self {
        let shown = |time: Timestamp| Some(time.to_string());
        let (fate, ordered, destroyed) = match fated.zone.fate {
            Fate::Kept => ("kept", None, None),
            Fate::Destroying { ordered, .. } => ("destroying", shown(ordered), None),
            Fate::Destroyed { at } => ("destroyed", None, shown(at)),
        };
        FateAnswer {
            fate,
            ordered,
            earliest_end: fated.end.and_then(shown),
            destroyed,
        }
    }
}

impl FateAnswer {
    /// For people, in one line.
    fn told(&self) -> String {
        match (&self.ordered, &self.earliest_end, &self.destroyed) {
            (Some(ordered), Some(end), _) => {
                format!("to be destroyed, ordered {ordered}, {end} at the earliest")
            }
            (_, _, Some(at)) => format!("destroyed {at}"),
            _ => "kept".into(),
        }
    }
}

impl From<&FatedZone> for ZoneLine {
    fn from(fated: &FatedZone) -> Self {
        let zone = &fated.zone;
        ZoneLine {
            id: zone.id.to_string(),
            clients: zone.clients.clone(),
            creator: zone.creator.as_ref().map(ClientId::to_string),
            active_version: zone.active,
            created: zone.created.to_string(),
            fate: FateAnswer::from(fated),
        }
    }
}

impl Line for ZoneLine {
    const COLUMNS: &'static [&'static str] =
        &["ZONE", "KEY VERSION", "CREATED", "FATE", "OPENED BY"];

    fn cells(&self) -> Vec<String> {
        let fate = match &self.fate.earliest_end {
            Some(end) => format!("{} {end}", self.fate.fate),
            None => self.fate.fate.into(),
        };
        vec![
            self.id.clone(),
            self.active_version.to_string(),
            self.created.clone(),
            fate,
            opened_by(&self.clients),
        ]
    }
}
