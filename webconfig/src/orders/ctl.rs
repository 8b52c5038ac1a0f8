//! `ctl status`, `ctl set` and `ctl drain` (`ctl why` is in `why`): the servers are asked by the program itself, not through the
//! page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use daemon::Failure;
use serde::Serialize;

use super::{Ctl, Drain, Set, clients, why, zones};
use crate::change::{self, NotChanged};
use crate::config::Config;
use crate::fleet::{self, Fleet, Seen, Server};
use crate::tls::{self, Tls};
use crate::view::{ConnectorRow, Problem, connectors, problems};

pub fn run(order: Ctl, config: &Config) -> Result<(), Failure> {
    let revoked = fleet::revoked();
    let tls = Tls::new(tls::read(config, &revoked)?);
    crate::runtime()?.block_on(async {
        let fleet = crate::fleet_of(config, &tls, revoked);
        match order {
            Ctl::Status(output) => status(&fleet, output.json, config.answer_timeout.0).await,
            Ctl::Set(order) => set(&fleet, order).await,
            Ctl::Drain(order) => drain(&fleet, order).await,
            Ctl::Zones(order) => zones::run(&fleet, order).await,
            Ctl::Clients(order) => clients::run(&fleet, order).await,
            Ctl::Why(order) => why::run(&fleet, order).await,
        }
    })
}

#[derive(Serialize)]
struct StatusAnswer {
    problems: Vec<Problem>,
    servers: Vec<ServerLine>,
    connectors: Vec<ConnectorRow>,
}

#[derive(Serialize)]
struct ServerLine {
    address: String,
    server: Option<String>,
    availability: Option<control::Availability>,
    zone_mode: Option<control::ZoneMode>,
    settings: Option<u64>,
    sessions: Option<u64>,
    database: Option<String>,
    role: Option<control::DatabaseRole>,
    version: Option<String>,
    certificate_expires: Option<String>,
}

async fn status(fleet: &Arc<Fleet>, json: bool, patience: Duration) -> Result<(), Failure> {
    fleet.start();
    let mut changes = fleet.changes();
    let end = Instant::now() + patience;
    // Until each has said how it is, or why not.
    let is_known = |it: &Seen| {
        it.known.silent.is_some() || (it.known.heard.is_some() && it.known.status.is_some())
    };
    while !fleet.seen().iter().all(is_known) {
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, changes.changed()).await {
            Ok(Ok(())) => {}
            _ => break,
        }
    }
    let seen = fleet.seen();
    let answer = StatusAnswer {
        problems: problems(&seen, Instant::now(), SystemTime::now()),
        connectors: connectors(&seen),
        servers: seen.into_iter().map(line).collect(),
    };
    if json {
        print_json(&answer)?;
    } else {
        for it in &answer.servers {
            let or = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            let number = |number: Option<u64>| or(number.map(|it| it.to_string()));
            println!(
                "{:24} {:10} zone mode {:6} settings {:4} sessions {:6} {}",
                it.address,
                or(it.role.map(|it| it.to_string())),
                or(it.zone_mode.map(|it| it.to_string())),
                number(it.settings),
                number(it.sessions),
                or(it.version.clone()),
            );
        }
        for it in &answer.problems {
            let server = it.server.as_deref().unwrap_or("all servers");
            println!("{server}: {}", it.what);
        }
    }
    match answer.problems.len() {
        0 => Ok(()),
        1 => Err(Failure::Failed("something is wrong".into())),
        several => Err(Failure::Failed(format!("{several} things are wrong"))),
    }
}

fn line(seen: Seen) -> ServerLine {
    let (status, standing) = (seen.known.status, seen.known.standing);
    ServerLine {
        address: seen.address,
        availability: standing.as_ref().map(|it| it.availability),
        settings: standing.as_ref().map(|it| it.settings),
        sessions: standing.as_ref().map(|it| it.sessions),
        role: standing.and_then(|it| it.database).map(|it| it.role),
        zone_mode: status.as_ref().map(|it| it.zone_mode),
        database: status.as_ref().map(|it| it.database.clone()),
        version: status.as_ref().map(|it| it.version.clone()),
        certificate_expires: status.as_ref().map(|it| it.certificates.expires.clone()),
        server: status.map(|it| it.server),
    }
}

#[derive(Serialize)]
struct SetAnswer {
    number: Option<u64>,
    away: Vec<String>,
}

async fn set(fleet: &Arc<Fleet>, order: Set) -> Result<(), Failure> {
    let failed = |error: NotChanged| Failure::Failed(error.to_string());
    let number = match order.number {
        Some(number) => number,
        None => seen_number(fleet).await?,
    };
    let value = order.value.filter(|_| !order.reset);
    let changes = BTreeMap::from([(order.name, value)]);
    let changed = change::change(fleet, number, changes, None)
        .await
        .map_err(failed)?;
    let answer = SetAnswer {
        number: changed.number,
        away: changed.away,
    };
    if order.output.json {
        return print_json(&answer);
    }
    let number = answer
        .number
        .map_or_else(|| "-".into(), |it| it.to_string());
    println!("Changed; the settings have the number {number}.");
    if !answer.away.is_empty() {
        let away = answer.away.join(", ");
        println!("Not reached, and following when back: {away}");
    }
    Ok(())
}

/// The number of the settings now.
async fn seen_number(fleet: &Fleet) -> Result<u64, Failure> {
    fleet.ask_settings().await;
    let seen = fleet.seen();
    let views = seen.iter().filter_map(|it| it.known.settings.as_ref());
    let number = views.filter_map(|it| it.number).max();
    number.ok_or_else(|| Failure::Failed("no server tells the number of its settings".into()))
}

async fn drain(fleet: &Fleet, order: Drain) -> Result<(), Failure> {
    let server = server(fleet, &order.server)?;
    let standing = server.client.drain(!order.off).await;
    let standing = standing.map_err(|error| Failure::Failed(error.to_string()))?;
    if order.output.json {
        return print_json(&standing);
    }
    match order.off {
        false => println!(
            "{} takes no new sessions; {} go on.",
            order.server, standing.sessions
        ),
        true => println!("{} takes sessions again.", order.server),
    }
    Ok(())
}

/// The server at this address.
pub fn server<'a>(fleet: &'a Fleet, address: &str) -> Result<&'a Arc<Server>, Failure> {
    let found = fleet.servers.iter().find(|it| it.address == address);
    found.ok_or_else(|| {
        let all: Vec<_> = fleet.servers.iter().map(|it| it.address.as_str()).collect();
        let all = all.join(", ");
        Failure::Usage(format!("{address} is none of the servers: {all}"))
    })
}

/// Answers in JSON.
pub fn print_json(answer: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(answer);
    println!(
        "{}",
        text.map_err(|error| Failure::failed("answer", error))?
    );
    Ok(())
}
