//! `client add`, `client set` and `client list`.

use keystore::Client;
use serde::Serialize;

use crate::Error;
use crate::cli::client as cli;
use crate::key::PublicKeyAnswer;
use crate::output::{Line, Output, Text};
use crate::source::{open_store, operator};

pub fn run(command: cli::Client, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Client::Add(args) => add(args, output),
        cli::Client::Set(args) => set(args, output),
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
    let zones = may_create(args.create_zones, args.zones_per_day);
    let text = Text::default()
        .fields(&[("client", args.id.to_string()), ("zones", zones)])
        .line("")
        .fields(&answer.fields())
        .line("")
        .line(&format!(
            "Next, a certificate for it: pgseal-keymaker cert client {}",
            args.id
        ));
    output.answer(&answer, &text)
}

fn set(args: cli::ClientSet, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let most = args.zones_per_day.map(|most| most.0);
    let client = store
        .by(operator())
        .change_client(&args.id, args.create_zones, most)?;
    let mut text = Text::default().fields(&[
        ("client", client.id.to_string()),
        (
            "zones",
            may_create(client.create_zones, client.zones_per_day),
        ),
    ]);
    if let (false, Some(most)) = (client.create_zones, client.zones_per_day) {
        text = text.line("").line(&format!(
            "The {most} a day count once it may create zones: --create-zones true"
        ));
    }
    output.answer(&ClientLine::from(&client), &text)
}

fn may_create(create_zones: bool, zones_per_day: Option<u32>) -> String {
    match (create_zones, zones_per_day) {
        (false, _) => "may not create them".into(),
        (true, None) => "may create them".into(),
        (true, Some(most)) => format!("may create {most} a day (UTC)"),
    }
}

#[derive(Serialize)]
struct ClientLine {
    id: String,
    create_zones: bool,
    /// `null` for any number.
    zones_per_day: Option<u32>,
    active_version: u32,
    created: String,
}

impl From<&Client> for ClientLine {
    fn from(client: &Client) -> Self {
        ClientLine {
            id: client.id.to_string(),
            create_zones: client.create_zones,
            zones_per_day: client.zones_per_day,
            active_version: client.active,
            created: client.created.to_string(),
        }
    }
}

impl Line for ClientLine {
    const COLUMNS: &'static [&'static str] =
        &["CLIENT", "CREATES ZONES", "A DAY", "KEY VERSION", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let (creates, most) = match (self.create_zones, self.zones_per_day) {
            (false, _) => ("no", "-".into()),
            (true, None) => ("yes", "unlimited".into()),
            (true, Some(most)) => ("yes", most.to_string()),
        };
        vec![
            self.id.clone(),
            creates.into(),
            most,
            self.active_version.to_string(),
            self.created.clone(),
        ]
    }
}
