//! `ctl zones` and `ctl clients`. Nobody has signed in for these: the audit log names the certificate
//! alone.

use clap::{Args, Subcommand};
use control::{
    Client, ClientChange, ClientCreation, ClientDetail, ClientView, KeyView, MAX_OWNERS,
    OwnersQuery, Period, ZoneChange, ZoneCreation, ZoneDetail, ZoneFate, ZoneView,
};
use daemon::Failure;
use serde::Serialize;

use super::Output;
use super::ctl::print_json;
use crate::fleet::Fleet;
use crate::owners::{change, look};
use crate::view::opened_by;

/// Zones.
#[derive(Subcommand)]
pub enum Zones {
    /// List zones, or those whose ids begin so
    List(List),
    /// Show a zone: who may open it, what is to become of it, and its keys
    Show(One),
    /// Make a zone
    Add {
        /// Its id; one is made up where none is given
        zone: Option<String>,
        /// A client that may open its values, or '*' for every one; may be given again
        #[arg(long = "client")]
        clients: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Let a client open a zone's values
    Grant(Grant),
    /// Take that back
    Revoke(Grant),
    /// Give a zone a new key for writers
    Rotate(Rotate),
    /// Have a zone destroyed when its grace is over; until then `keep` takes it back
    Destroy {
        /// The zone
        zone: String,
        /// Its id once more
        #[arg(long, value_name = "ID")]
        confirm: String,
        /// Time that servers run before its keys are destroyed, a day at least
        #[arg(long, default_value = "7d")]
        grace: Period,
        #[command(flatten)]
        output: Output,
    },
    /// Keep a zone after all that was to be destroyed
    Keep(One),
}

/// Clients.
#[derive(Subcommand)]
pub enum Clients {
    /// List clients, or those whose ids begin so
    List(List),
    /// Show a client and its keys
    Show(One),
    /// Add a client
    Add {
        /// Its id, as its certificate has it
        client: String,
        #[command(flatten)]
        allow: Allow,
        #[command(flatten)]
        output: Output,
    },
    /// Say whether a client may create zones
    Set {
        /// The client
        client: String,
        #[command(flatten)]
        allow: Allow,
        #[command(flatten)]
        output: Output,
    },
    /// Give a client a new key for writers
    Rotate(Rotate),
}

/// What is looked for.
#[derive(Args)]
pub struct List {
    /// What ids begin with
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only those after this id
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How many at most, 1 to 500
    #[arg(long, default_value_t = MAX_OWNERS)]
    limit: usize,
    #[command(flatten)]
    output: Output,
}

/// One of them.
#[derive(Args)]
pub struct One {
    /// Its id
    id: String,
    #[command(flatten)]
    output: Output,
}

/// A client and a zone.
#[derive(Args)]
pub struct Grant {
    /// The zone
    zone: String,
    /// The client, or '*' for every one
    client: String,
    #[command(flatten)]
    output: Output,
}

/// A new key.
#[derive(Args)]
pub struct Rotate {
    /// Whose
    id: String,
    /// Only if this version is active still
    #[arg(long)]
    version: Option<u32>,
    #[command(flatten)]
    output: Output,
}

/// What a client may do.
#[derive(Args)]
pub struct Allow {
    /// It may create zones
    #[arg(long)]
    create_zones: bool,
    /// So many a day (UTC); any number where it is not given
    #[arg(long, requires = "create_zones")]
    zones_per_day: Option<u32>,
}

/// Does what is ordered about zones.
///
/// # Errors
/// It was not done; says why.
pub async fn zones(fleet: &Fleet, order: Zones) -> Result<(), Failure> {
    match order {
        Zones::List(list) => {
            let (query, output) = list.query();
            let ask = |it: Client| {
                let query = query.clone();
                async move { it.zones(&query).await }
            };
            let found = look(fleet, ask).await.map_err(failed)?;
            if output.json {
                return print_json(&found);
            }
            found
                .zones
                .iter()
                .for_each(|it| println!("{}", zone_line(it)));
            tell_more(found.next);
            Ok(())
        }
        Zones::Show(One { id, output }) => zone(&show_zone(fleet, &id).await?, &output),
        Zones::Add {
            zone: id,
            clients,
            output,
        } => {
            let new = ZoneCreation { id, clients };
            let ask = |it: Client| {
                let new = new.clone();
                async move { it.add_zone(&new).await }
            };
            let made = change(fleet, None, ask).await.map_err(failed)?;
            zone(&made, &output)
        }
        Zones::Grant(Grant {
            zone,
            client,
            output,
        }) => change_zone(fleet, zone, ZoneChange::Grant { client }, &output).await,
        Zones::Revoke(Grant {
            zone,
            client,
            output,
        }) => change_zone(fleet, zone, ZoneChange::Revoke { client }, &output).await,
        Zones::Rotate(Rotate {
            id,
            version,
            output,
        }) => {
            let version = match version {
                Some(version) => version,
                None => show_zone(fleet, &id).await?.zone.active_version,
            };
            change_zone(fleet, id, ZoneChange::Rotate { version }, &output).await
        }
        Zones::Destroy {
            zone,
            confirm,
            grace,
            output,
        } => {
            let grace_seconds = grace.0.as_secs();
            let order = ZoneChange::Destroy {
                grace_seconds,
                confirm,
            };
            change_zone(fleet, zone, order, &output).await
        }
        Zones::Keep(One { id, output }) => change_zone(fleet, id, ZoneChange::Keep, &output).await,
    }
}

/// Does what is ordered about clients.
///
/// # Errors
/// It was not done; says why.
pub async fn clients(fleet: &Fleet, order: Clients) -> Result<(), Failure> {
    match order {
        Clients::List(list) => {
            let (query, output) = list.query();
            let ask = |it: Client| {
                let query = query.clone();
                async move { it.clients(&query).await }
            };
            let found = look(fleet, ask).await.map_err(failed)?;
            if output.json {
                return print_json(&found);
            }
            found
                .clients
                .iter()
                .for_each(|it| println!("{}", client_line(it)));
            tell_more(found.next);
            Ok(())
        }
        Clients::Show(One { id, output }) => client(&show_client(fleet, &id).await?, &output),
        Clients::Add {
            client: id,
            allow,
            output,
        } => {
            let new = ClientCreation {
                id,
                create_zones: allow.create_zones,
                zones_per_day: allow.zones_per_day,
            };
            let ask = |it: Client| {
                let new = new.clone();
                async move { it.add_client(&new).await }
            };
            let made = change(fleet, None, ask).await.map_err(failed)?;
            client(&made, &output)
        }
        Clients::Set {
            client,
            allow,
            output,
        } => {
            let order = ClientChange::Allow {
                create_zones: allow.create_zones,
                zones_per_day: allow.zones_per_day,
            };
            change_client(fleet, client, order, &output).await
        }
        Clients::Rotate(Rotate {
            id,
            version,
            output,
        }) => {
            let version = match version {
                Some(version) => version,
                None => show_client(fleet, &id).await?.client.active_version,
            };
            change_client(fleet, id, ClientChange::Rotate { version }, &output).await
        }
    }
}

impl List {
    fn query(self) -> (OwnersQuery, Output) {
        let query = OwnersQuery {
            prefix: self.prefix,
            after: self.after,
            limit: self.limit,
        };
        (query, self.output)
    }
}

async fn show_zone(fleet: &Fleet, id: &str) -> Result<ZoneDetail, Failure> {
    let ask = |it: Client| async move { it.zone(id).await };
    look(fleet, ask).await.map_err(failed)
}

async fn show_client(fleet: &Fleet, id: &str) -> Result<ClientDetail, Failure> {
    let ask = |it: Client| async move { it.client(id).await };
    look(fleet, ask).await.map_err(failed)
}

async fn change_zone(
    fleet: &Fleet,
    id: String,
    order: ZoneChange,
    output: &Output,
) -> Result<(), Failure> {
    let ask = |it: Client| {
        let (id, order) = (id.clone(), order.clone());
        async move { it.change_zone(&id, &order).await }
    };
    let changed = change(fleet, None, ask).await.map_err(failed)?;
    zone(&changed, output)
}

async fn change_client(
    fleet: &Fleet,
    id: String,
    order: ClientChange,
    output: &Output,
) -> Result<(), Failure> {
    let ask = |it: Client| {
        let (id, order) = (id.clone(), order.clone());
        async move { it.change_client(&id, &order).await }
    };
    let changed = change(fleet, None, ask).await.map_err(failed)?;
    client(&changed, output)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

fn zone(found: &ZoneDetail, output: &Output) -> Result<(), Failure> {
    show(found, &zone_line(&found.zone), &found.keys, output)
}

fn client(found: &ClientDetail, output: &Output) -> Result<(), Failure> {
    show(found, &client_line(&found.client), &found.keys, output)
}

fn show(
    found: &impl Serialize,
    line: &str,
    keys: &[KeyView],
    output: &Output,
) -> Result<(), Failure> {
    if output.json {
        return print_json(found);
    }
    println!("{line}");
    for key in keys {
        println!(
            "  key {:<4} {:10} {} {} last used {}",
            key.version,
            key.state,
            key.key_id,
            key.public_key,
            key.last_used.as_deref().unwrap_or("never"),
        );
    }
    Ok(())
}

fn zone_line(zone: &ZoneView) -> String {
    let fate = match &zone.fate {
        ZoneFate::Kept => String::new(),
        ZoneFate::Destroying { earliest_end, .. } => {
            format!(", to be destroyed, {earliest_end} at the earliest")
        }
        ZoneFate::Destroyed { at } => format!(", destroyed {at}"),
    };
    let by = opened_by(&zone.opened_by);
    let (id, version) = (&zone.id, zone.active_version);
    format!("{id:32} key {version:<4} opened by {by}{fate}")
}

fn client_line(client: &ClientView) -> String {
    let zones = match (client.create_zones, client.zones_per_day) {
        (false, _) => "no zones".into(),
        (true, None) => "any number of zones".into(),
        (true, Some(most)) => format!("{most} zones a day"),
    };
    let (id, version) = (&client.id, client.active_version);
    format!("{id:32} key {version:<4} creates {zones}")
}

/// Where a list goes on: on standard error, for it is no line of the list.
fn tell_more(next: Option<String>) {
    if let Some(next) = next {
        eprintln!("There are more: --after {next}");
    }
}
