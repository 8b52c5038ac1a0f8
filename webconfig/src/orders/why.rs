//! `ctl why`: why a value opens or not, and what a session has had opened.

use std::io::Read;

use clap::Args;
use control::{EnvelopeAnswer, MAX_WHY, SessionAccess, ValueAnswer, Why, WhyAnswer, WhyValue};
use daemon::Failure;

use super::Output;
use super::ctl::{print_json, server};
use crate::fleet::Fleet;

/// A question to one server.
#[derive(Args)]
pub struct Order {
    /// The server, as in `servers`
    #[arg(long, value_name = "ADDRESS")]
    server: String,
    /// What stands in the database, in hex or as text with `pgs1.` in it: an envelope, or a whole field;
    /// `-` reads standard input
    #[arg(long, value_name = "VALUE", required_unless_present = "session")]
    value: Option<String>,
    /// The client that reads it; without one, a client's value is read by its own client
    #[arg(long, value_name = "ID", conflicts_with = "session")]
    client: Option<String>,
    /// The zone's id that stands in an earlier field of its row
    #[arg(long, value_name = "ID", conflicts_with = "session")]
    zone: Option<String>,
    /// What the session of this number has had opened and refused
    #[arg(long, value_name = "NUMBER", conflicts_with = "value")]
    session: Option<u64>,
    #[command(flatten)]
    output: Output,
}

/// Asks.
pub async fn run(fleet: &Fleet, order: Order) -> Result<(), Failure> {
    let server = server(fleet, &order.server)?;
    let asked = match (order.session, order.value) {
        (Some(number), _) => Why::Session(number),
        (None, value) => Why::Value(WhyValue {
            hex: read(value.unwrap_or_default())?,
            client: order.client,
            zone: order.zone,
        }),
    };
    let answer = server.client.why(&asked).await;
    let answer = answer.map_err(|error| Failure::Failed(error.to_string()))?;
    if order.output.json {
        return print_json(&answer);
    }
    match answer {
        WhyAnswer::Value(answer) => of_value(&answer),
        WhyAnswer::Session(access) => of_session(&access),
    }
    Ok(())
}

/// The value, or that of standard input.
fn read(value: String) -> Result<String, Failure> {
    if value != "-" {
        return Ok(value);
    }
    let mut text = String::new();
    // As long as a request may be: more is refused there.
    let most = 3 * MAX_WHY as u64;
    std::io::stdin()
        .take(most)
        .read_to_string(&mut text)
        .map_err(|cause| Failure::failed("standard input", cause))?;
    Ok(text.split_whitespace().collect())
}

fn of_value(answer: &ValueAnswer) {
    println!(
        "server {}: zone mode {}, refused values {}",
        answer.server, answer.zone_mode, answer.on_refused
    );
    if let Some(problem) = &answer.problem {
        println!("{problem}");
    }
    answer.envelopes.iter().for_each(of_envelope);
    if answer.untold > 0 {
        println!("{} more envelopes are not told of", answer.untold);
    }
}

fn of_envelope(envelope: &EnvelopeAnswer) {
    let what = match (envelope.opens, &envelope.reason) {
        (Some(true), _) => "opens".to_owned(),
        (_, Some(reason)) => format!("stays sealed ({reason})"),
        _ => "depends on the client".to_owned(),
    };
    println!(
        "envelope at byte {}, {} bytes, key {}: {what}",
        envelope.at, envelope.length, envelope.key_id
    );
    for step in &envelope.steps {
        let holds = match step.holds {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        println!("  {:11} {holds:4} {}", step.step.name(), step.says);
    }
}

fn of_session(access: &SessionAccess) {
    let process = access.process.map(|process| format!(", process {process}"));
    println!(
        "session {} of client {}{}, since {}",
        access.session,
        access.client,
        process.unwrap_or_default(),
        access.began
    );
    for owner in &access.owners {
        let name = owner.owner.as_deref().unwrap_or("nobody that is known");
        let refused = owner.refused.iter();
        let refused: Vec<_> = refused
            .map(|(why, count)| format!("{count} {why}"))
            .collect();
        println!(
            "  {name}: {} opened; refused: {}",
            owner.opened,
            match refused.is_empty() {
                true => "none".into(),
                false => refused.join(", "),
            }
        );
    }
}
