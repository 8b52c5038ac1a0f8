//! `client add` and `client list`.

use keystore::Client;
use serde::Serialize;

use crate::Error;
use crate::cli;
use crate::key::PublicKeyAnswer;
use crate::output::{Line, Output, Text};
use crate::source::{open_store, operator};

pub fn run(command: cli::Client, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Client::Add(args) => add(args, output),
        cli::Client::List(args) => {
            let store = open_store(args.store)?;
            let page = |last: Option<&Client>| {
                store.clients(last.map(|client| &client.id), keystore::MAX_PAGE)
            };
            output.list::<ClientLine, _>(page)
        }
    }
}

fn add(args: cli::ClientAdd, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let key = store
        .by(operator())
        .add_client(&args.id, args.create_zones, args.zones_per_day)?;
    let answer = PublicKeyAnswer::from(&key);
    let zones = if args.create_zones {
        "may create them"
    } else {
        "may not create them"
    };
    let text = Text::default()
        .fields(&[("client", args.id.to_string()), ("zones", zones.into())])
        .line("")
        .fields(&answer.fields())
        .line("")
        .line(&format!(
            "Next, a certificate for it: pgseal-keymaker cert client {}",
            args.id
        ));
    output.answer(&answer, &text)
}

#[derive(Serialize)]
struct ClientLine {
    id: String,
    create_zones: bool,
    active_version: u32,
    created: String,
}

impl From<&Client> for ClientLine {
    fn from(client: &Client) -> Self {
        ClientLine {
            id: client.id.to_string(),
            create_zones: client.create_zones,
            active_version: client.active,
            created: client.created.to_string(),
        }
    }
}

impl Line for ClientLine {
    const COLUMNS: &'static [&'static str] = &["CLIENT", "CREATES ZONES", "KEY VERSION", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            if self.create_zones { "yes" } else { "no" }.into(),
            self.active_version.to_string(),
            self.created.clone(),
        ]
    }
}
