//! Canaries: marked values and every secret of the stand, looked for wherever they must not be.
//!
//! One run of the chain does all that the chain does with such values, and much that goes wrong.
//! What the application gets is checked first: a value that was never opened could not leak.

mod failures;
mod secrets;

use std::fs;
use std::path::Path;

use harness::http::Request;
use harness::raw::{Message, Session, literal, message, rows};
use harness::{Auth, Chain, Keys, Link, Random, Settings, Tap, python, scan};

use secrets::Secrets;

/// Seals with the Python package, writes and reads through a connector with psycopg.
const WRITER: &str = r#"
import sys
import pgseal, psycopg

api, port, zone_id = sys.argv[1:]
connector = pgseal.Connector(api)
client, zone = connector.client(), connector.zone(zone_id)
markers = [bytes.fromhex(line) for line in sys.stdin.read().split()]
with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres") as session:
    with pgseal.Sealer(zone).batch() as batch:
        for owner, seal in (("", pgseal.Sealer(client).seal), (zone_id, batch.seal)):
            for marker in markers:
                session.execute(
                    "insert into marked (zone, value) values (%s, %s)", (owner, seal(marker)))
    read = {bytes(value) for _, value in session.execute("select zone, value from marked")}
    assert read.issuperset(markers)
"#;

/// Where a secret was found: the place's name and the form it had there.
fn leaks(places: &[(String, Vec<u8>)], needles: &[(String, Vec<u8>)]) -> Vec<String> {
    let bytes: Vec<&[u8]> = needles
        .iter()
        .map(|(_, needle)| needle.as_slice())
        .collect();
    let found = places.iter().flat_map(|(place, content)| {
        let findings = scan(content, &bytes).into_iter();
        findings.map(move |finding| {
            let (needle, _) = &needles[finding.needle];
            format!(
                "{needle} in {place} as {}, at {}",
                finding.form, finding.offset
            )
        })
    });
    found.collect()
}

/// The files of a database, WAL included, as they are after a checkpoint.
fn files(link: &Link, role: &str) -> Vec<(String, Vec<u8>)> {
    link.database.query("checkpoint");
    let read = |path: &Path| Some((format!("{role}: {}", path.display()), fs::read(path).ok()?));
    link.database
        .files()
        .iter()
        .filter_map(|path| read(path))
        .collect()
}

/// Writes the markers through the primary's chain, sealed in Rust and in Python.
fn write(chain: &Chain, secrets: &Secrets) {
    let zone = chain.keys.zone(&secrets.zone);
    let mut session = chain.primary.address().raw();
    session.start();
    session.query("create table marked (id serial, zone text, value bytea)");
    let mut store = |zone: &str, value: &[u8]| {
        let value = literal(value);
        let insert = format!("insert into marked (zone, value) values ('{zone}', {value})");
        session.query(&insert);
    };
    let mut batch = chain.client().batch().unwrap();
    for (_, marker) in secrets.markers() {
        store("", &chain.client().seal(&marker).unwrap());
        store(
            "",
            &[b"embedded ", batch.seal(&marker).unwrap().as_slice(), b"."].concat(),
        );
        store(&secrets.zone, &zone.seal(&marker).unwrap());
    }
    // As a parameter, and given back by the same statement.
    let (_, marker) = secrets.markers().remove(0);
    let sealed = format!(r"\x{}", hex(&chain.client().seal(&marker).unwrap()));
    let insert = "insert into marked (zone, value) values ('', $1) returning value";
    session.send(
        [
            message::parse("", insert),
            message::bind("", "", &[Some(sealed.as_bytes())], 1),
            message::execute("", 0),
            message::sync(),
        ]
        .concat(),
    );
    assert_eq!(rows(&session.read_until_ready()), [[Some(marker)]]);
    let api = format!("http://127.0.0.1:{}", chain.primary.connector.api_port());
    let port = chain.primary.address().port().to_string();
    let markers: Vec<String> = secrets
        .markers()
        .iter()
        .map(|(_, marker)| hex(marker))
        .collect();
    let writer = python(["-c", WRITER, &api, &port, &secrets.zone]).input(markers.join("\n"));
    writer.run().success();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads all of it back in every form. Panics unless the application gets every marker each time.
fn read(link: &Link, secrets: &Secrets) {
    let mut session = link.address().raw();
    session.start();
    let all = "select zone, value from marked order by id";
    let in_text = [Session::query, |session: &mut Session, sql: &str| {
        session.extended(sql, 0)
    }];
    let mut answers = Vec::new();
    for output in ["hex", "escape"] {
        session.query(&format!("set bytea_output = '{output}'"));
        answers.extend(
            in_text.map(|ask: fn(&mut Session, &str) -> Vec<Message>| ask(&mut session, all)),
        );
    }
    answers.push(session.extended(all, 1));
    session.query("begin; declare c binary cursor for select zone, value from marked");
    answers.push(session.query("fetch all from c"));
    session.query("commit");
    for answer in answers {
        let opened: Vec<u8> = answer.iter().flat_map(Message::bytes).collect();
        for (name, marker) in secrets.markers() {
            assert!(
                !scan(&opened, &[marker]).is_empty(),
                "{name} was not opened"
            );
        }
    }
    for copy in [
        "copy marked to stdout",
        "copy marked to stdout (format binary)",
    ] {
        session.query(copy);
    }
}

/// The control of the whole test: what is written in clear is found by the same search in the same
/// places, wherever clear text may come.
fn finds_what_is_there(chain: &Chain, random: &mut Random) {
    let planted = random.bytes(32);
    let mut session = chain.primary.address().raw();
    session.start();
    session.query("create table planted (value bytea)");
    session.query(&format!(
        "insert into planted values ({})",
        literal(&planted)
    ));
    chain.wait_for_replay();
    let needles = [("planted".to_owned(), planted)];
    let found =
        |name: &str, content: Vec<u8>| !leaks(&[(name.to_owned(), content)], &needles).is_empty();
    for link in [&chain.primary, &chain.replica] {
        assert!(found("dump", link.database.dump()));
        assert!(found("WAL", link.database.wal()));
        assert!(!leaks(&files(link, "planted"), &needles).is_empty());
    }
    let tap = |tap: &Option<Tap>| tap.as_ref().unwrap().everything();
    assert!(found("log", chain.primary.database.log().into_bytes()));
    assert!(found("database tap", tap(&chain.primary.database_tap)));
    // And here it was encrypted.
    assert!(!found("tunnel tap", tap(&chain.primary.tunnel_tap)));
}

/// A chain with everything logged that can be, on which markers were written and read and much has
/// failed; its secrets; and what was said of the failures.
fn played(format: &str, random: &mut Random) -> (Chain, Secrets, Vec<u8>) {
    let password = hex(&random.bytes(16));
    let settings = Settings::new()
        .line("log_statement = 'all'")
        .line("log_min_messages = debug1")
        .user("alice", &password, Auth::ScramSha256);
    let builder = Chain::builder()
        .settings(settings)
        .tapped()
        .creates_zones()
        .zone_mode("mixed")
        .server("max_open_row = '1MiB'");
    let lines = [
        format!("log.format = '{format}'"),
        "log.level = 'debug'".to_owned(),
    ];
    let mut chain = lines
        .iter()
        .fold(builder, |builder, line| {
            builder.server(line).connector(line)
        })
        .start();
    let made = chain.primary.connector.api(&Request::post("/v1/zones"));
    let zone = made.recipient().owner().id().to_owned();
    let secrets = Secrets::new(&chain.keys, &zone, password, random);
    write(&chain, &secrets);
    chain.wait_for_replay();
    for link in [&chain.primary, &chain.replica] {
        read(link, &secrets);
    }
    let said = failures::of_sessions(&mut chain, &secrets);
    (chain, secrets, said)
}

/// What our programs have said and shown, and what they have sent to each other.
fn ours(chain: &Chain) -> Vec<(String, Vec<u8>)> {
    let mut places = vec![("the programs' logs".to_owned(), chain.logs())];
    places.extend(secrets::store_files(&chain.keys));
    for (role, link) in [("primary", &chain.primary), ("replica", &chain.replica)] {
        let app = chain.keys.client_identity("app");
        let pages = [
            link.server.ops("/metrics"),
            link.server.ops("/health"),
            link.server.control(&app, &Request::get("/v1/status")),
            link.connector.api(&Request::get("/v1/status")),
            link.connector.api(&Request::get("/metrics")),
        ];
        let pages = pages.map(|page| format!("{:?}\n{}", page.headers, page.text()));
        places.push((format!("{role}: pages"), pages.concat().into_bytes()));
        for (name, tap) in [
            ("tunnel", &link.tunnel_tap),
            ("database", &link.database_tap),
        ] {
            let place = format!("{role}: {name} tap");
            places.push((place, tap.as_ref().unwrap().everything()));
        }
    }
    // These places hold something, and what they may hold is found in them.
    let known = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let address = chain.primary.database_tap.as_ref().unwrap().address();
    let needles = [
        known("address", &address.to_string()),
        known("metric", "sessions_started_total"),
        known("statement", "create table marked"),
    ];
    let found = leaks(&places, &needles).concat();
    for expected in [
        "address in the programs' logs",
        "metric in primary: pages",
        "metric in replica: pages",
        "statement in primary: database tap",
    ] {
        assert!(found.contains(expected), "no {expected}: {found}");
    }
    assert!(!found.contains("tunnel tap"), "{found}");
    places
}

/// What the databases hold.
fn theirs(chain: &Chain) -> Vec<(String, Vec<u8>)> {
    let mut places = Vec::new();
    for (role, link) in [("primary", &chain.primary), ("replica", &chain.replica)] {
        places.push((format!("{role}: dump"), link.database.dump()));
        let log = link.database.log().into_bytes();
        places.push((format!("{role}: PostgreSQL's log"), log));
        places.extend(files(link, role));
    }
    places
}

#[test]
fn no_secret_leaks_into_logs_in_text_pages_captures_and_databases() {
    let mut random = Random::new();
    let (chain, secrets, said) = played("text", &mut random);
    let said = ("what was said".to_owned(), said);
    assert_eq!(leaks(&[said], &secrets.all()), [""; 0]);
    assert_eq!(leaks(&ours(&chain), &secrets.all()), [""; 0]);
    // Our keys never come near a database, and its own log has the password from its making.
    assert_eq!(leaks(&theirs(&chain), &secrets.markers()), [""; 0]);
    finds_what_is_there(&chain, &mut random);
}

#[test]
fn no_secret_leaks_into_logs_in_json() {
    let mut random = Random::new();
    let (chain, secrets, _) = played("json", &mut random);
    let logs = chain.logs();
    let debug = logs
        .windows(15)
        .filter(|part| part == br#""level":"DEBUG""#);
    assert!(
        debug.count() > 5,
        "the logs are not what they were asked to be"
    );
    assert_eq!(leaks(&ours(&chain), &secrets.all()), [""; 0]);
}

#[test]
fn programs_that_fail_for_a_secret_do_not_tell_it() {
    let mut random = Random::new();
    let keys = Keys::new();
    keys.add_client("app");
    let zone = keys.add_zone(&["app"]);
    let password = hex(&random.bytes(16));
    let secrets = Secrets::new(&keys, zone.owner().id(), password, &mut random);
    let said = (
        "what was said".to_owned(),
        failures::of_programs(&keys, &secrets),
    );
    assert_eq!(leaks(&[said], &secrets.all()), [""; 0]);
}
