//! `ctl clients`.

use clap::{Args, Subcommand};
use control::{Client, ClientChange, ClientCreation, ClientDetail, ClientView};
use daemon::Failure;

use super::Output;
use super::ctl::print_json;
use super::owners::{List, One, Rotate, failed, show, tell_more};
use crate::asking::{change, look};
use crate::fleet::Fleet;

/// Clients.
#[derive(Subcommand)]
pub enum Order {
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

/// Does what is ordered about clients.
///
/// # Errors
/// It was not done; says why.
pub async fn run(fleet: &Fleet, order: Order) -> Result<(), Failure> {
    match order {
        Order::List(list) => {
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
        Order::Show(One { id, output }) => client(&show_client(fleet, &id).await?, &output),
        Order::Add {
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
        Order::Set {
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
        Order::Rotate(Rotate {
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

async fn show_client(fleet: &Fleet, id: &str) -> Result<ClientDetail, Failure> {
    let ask = |it: Client| async move { it.client(id).await };
    look(fleet, ask).await.map_err(failed)
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

fn client(found: &ClientDetail, output: &Output) -> Result<(), Failure> {
    show(found, &client_line(&found.client), &found.keys, output)
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
