//! `ctl zones`.

use clap::{Args, Subcommand};
use control::{Client, Period, ZoneChange, ZoneCreation, ZoneDetail, ZoneFate, ZoneView};
use daemon::Failure;

use super::Output;
use super::ctl::print_json;
use super::owners::{List, One, Rotate, failed, show, tell_more};
use crate::asking::{change, look};
use crate::fleet::Fleet;
use crate::view::opened_by;

/// Zones.
#[derive(Subcommand)]
pub enum Order {
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

/// Does what is ordered about zones.
///
/// # Errors
/// It was not done; says why.
pub async fn run(fleet: &Fleet, order: Order) -> Result<(), Failure> {
    match order {
        Order::List(list) => {
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
        Order::Show(One { id, output }) => zone(&show_zone(fleet, &id).await?, &output),
        Order::Add {
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
        Order::Grant(Grant {
            zone,
            client,
            output,
        }) => change_zone(fleet, zone, ZoneChange::Grant { client }, &output).await,
        Order::Revoke(Grant {
            zone,
            client,
            output,
        }) => change_zone(fleet, zone, ZoneChange::Revoke { client }, &output).await,
        Order::Rotate(Rotate {
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
        Order::Destroy {
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
        Order::Keep(One { id, output }) => change_zone(fleet, id, ZoneChange::Keep, &output).await,
    }
}

async fn show_zone(fleet: &Fleet, id: &str) -> Result<ZoneDetail, Failure> {
    let ask = |it: Client| async move { it.zone(id).await };
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

fn zone(found: &ZoneDetail, output: &Output) -> Result<(), Failure> {
    show(found, &zone_line(&found.zone), &found.keys, output)
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
