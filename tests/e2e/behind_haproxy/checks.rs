//! What the ops port answers: every path by every method, in every state of a server and its database.

use std::fs;
use std::time::Duration;

use harness::http::Request;
use harness::raw::message;
use harness::{Pair, Signal, until};
use serde_json::Value;

use super::*;

const PATHS: [&str; 7] = [
    "/",
    "/primary",
    "/replica",
    "/read-only",
    "/replica?lag=1GB",
    "/read-only?lag=1GB",
    "/health",
];

/// What is answered to each.
type Texts = [&'static str; 7];

/// Those with a 200; others are 503.
const GOOD: [&str; 5] = [
    "OK : master",
    "OK : slave",
    "primary\n",
    "replica\n",
    "ok\n",
];

const OF_PRIMARY: Texts = [
    "OK : master",
    "primary\n",
    "the database is a primary\n",
    "primary\n",
    "the database is a primary\n",
    "primary\n",
    "ok\n",
];

const OF_REPLICA: Texts = of_replica("replica\n");

/// Of a replica that is so far behind, or of which it is not known.
const fn of_replica(lag: &'static str) -> Texts {
    [
        "OK : slave",
        "the database is a replica\n",
        "replica\n",
        "replica\n",
        lag,
        lag,
        "ok\n",
    ]
}

#[track_caller]
fn answers(server: &Server, state: &str, texts: Texts) {
    let status = |text| if GOOD.contains(&text) { 200 } else { 503 };
    for (path, text) in PATHS.into_iter().zip(texts) {
        let ask = |method| Request::new(method, path).send(server.ops_port());
        let (get, expected) = (ask("GET"), status(text));
        assert_eq!(
            (get.status, get.text()),
            (expected, text),
            "{state}: {path}"
        );
        // Where the words are not read, the code says it.
        let [_, primary, ..] = texts;
        let expected = status(if path == "/" { primary } else { text });
        for method in ["HEAD", "OPTIONS"] {
            let answer = ask(method);
            let case = format!("{state}: {method} {path}");
            assert_eq!((answer.status, answer.text()), (expected, ""), "{case}");
        }
        assert_eq!(ask("POST").status, 405, "{state}: {path}");
    }
    // It is for either role.
    let [_, _, _, read_only, ..] = texts;
    let expected = status(read_only);
    for method in ["GET", "HEAD", "OPTIONS"] {
        let answer = Request::new(method, "/patroni").send(server.ops_port());
        assert_eq!(answer.status, expected, "{state}: {method} /patroni");
    }
    let document = server.ops("/patroni").json();
    let problem = document["pgseal"].get("problem").and_then(Value::as_str);
    let expected = (expected == 503).then(|| read_only.trim());
    assert_eq!(problem, expected, "{state}: {document}");
}

/// Waits until a server says so of a path: of what changes it hears within a fifth of a second, of its
/// database's end within a second or two.
#[track_caller]
fn becomes(server: &Server, path: &str, text: &str) {
    until(&format!("{path} to say {text}"), || {
        (server.ops(path).text() == text).then_some(())
    });
}

#[test]
fn every_path_answers_by_the_role_of_the_database() {
    let (keys, mut pair) = (keys(), Pair::start());
    let first = server(&keys, "server-1", &pair.primary, &[]);
    let second = server(&keys, "server-2", &pair.replica, &[]);
    becomes(&first, "/", "OK : master");
    becomes(&second, "/", "OK : slave");
    answers(&first, "primary", OF_PRIMARY);
    answers(&second, "replica", OF_REPLICA);
    for path in ["/replica?lag=1XB", "/read-only?replication_state=streaming"] {
        let ask = |method| Request::new(method, path).send(second.ops_port());
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(ask(method).status, 400, "{method} {path}");
        }
        assert!(ask("GET").text().contains("lag"), "{}", ask("GET").text());
    }
    assert_eq!(first.ops("/leader").status, 404);

    // Nobody says how far its primary is.
    pair.primary.stop();
    becomes(&first, "/", "the database does not answer\n");
    answers(&first, "gone", ["the database does not answer\n"; 7]);
    let cut_off =
        "how far the replica is behind is not known: it receives nothing from its primary\n";
    becomes(&second, "/replica?lag=1GB", cut_off);
    answers(&second, "cut off", of_replica(cut_off));
    pair.replica.query("select pg_promote()");
    becomes(&second, "/", "OK : master");
    answers(&second, "promoted", OF_PRIMARY);
}

#[test]
fn a_server_that_drains_says_so_by_every_path_while_its_sessions_go_on() {
    let (keys, pair) = (keys(), Pair::start());
    for database in [&pair.primary, &pair.replica] {
        let server = server(&keys, "server", database, &[]);
        let mut session = started(&Hello::from(&keys.client_identity("app")), server.port());
        server.process().signal(Signal::TERM);
        server.process().wait_for_line("draining");
        answers(&server, "draining", ["draining\n"; 7]);
        assert_eq!(value(&mut session, "select 1"), "1");
        session.send(message::terminate());
        assert_eq!(server.process().wait().code(), Some(0));
    }
}

#[test]
fn a_server_whose_store_cannot_be_read_says_so_by_every_path() {
    let (keys, database) = (keys(), Cluster::start());
    let server = server(&keys, "server", &database, &[]);
    becomes(&server, "/", "OK : master");
    let (store, away) = (keys.store(), keys.store().with_extension("away"));
    fs::rename(&store, &away).unwrap();
    let problem = "the store of keys cannot be read\n";
    becomes(&server, "/", problem);
    answers(&server, "no store", [problem; 7]);
    fs::rename(&away, &store).unwrap();
    becomes(&server, "/", "OK : master");
    answers(&server, "the store again", OF_PRIMARY);
}

#[test]
fn a_server_that_does_not_watch_its_database_knows_no_role_and_says_what_to_set() {
    let (keys, database) = (keys(), Cluster::start());
    let identity = keys.server_identity("server");
    let address = database.address().to_string();
    let server = Server::start("server", &identity, &keys, &address, &[]);
    let mut texts = ["the role of the database is not known: set database.monitor.user or \
                      database.monitor.patroni\n"; 7];
    texts[6] = "ok\n";
    answers(&server, "not watched", texts);
    assert_eq!(server.ops("/patroni").json()["state"], "unknown");
}

#[test]
fn a_user_who_is_not_told_of_the_primary_cannot_say_how_far_a_replica_is_behind() {
    let (keys, pair) = (keys(), Pair::start());
    pair.primary.query("create role watcher login");
    pair.wait_for_replay();
    let watcher = ["database.monitor.user = 'watcher'"];
    let server = server(&keys, "server", &pair.replica, &watcher);
    becomes(&server, "/", "OK : slave");
    let untold = "how far the replica is behind is not told: grant pg_read_all_stats to \
                  database.monitor.user; Patroni does not tell it\n";
    answers(&server, "not told", of_replica(untold));
    pair.primary.query("grant pg_read_all_stats to watcher");
    becomes(&server, "/replica?lag=1GB", "replica\n");
    answers(&server, "told", OF_REPLICA);
}

#[test]
fn a_server_before_several_databases_answers_for_the_roles_that_it_reaches() {
    let (keys, mut pair) = (keys(), Pair::start());
    let databases = [&pair.primary, &pair.replica].map(|it| it.address().to_string());
    let identity = keys.server_identity("server");
    let needs = ["target=primary", "target=replica"];
    let server = Server::start_among("server", &identity, &keys, &databases, &needs, &LINES);
    becomes(&server, "/replica", "replica\n");
    becomes(&server, "/primary", "primary\n");
    let mut both = OF_PRIMARY;
    both[2] = "replica\n";
    both[4] = "replica\n";
    answers(&server, "both", both);
    assert_eq!(server.ops("/patroni").json()["role"], "primary");
    pair.primary.stop();
    becomes(&server, "/primary", "the database is a replica\n");
    let cut_off =
        "how far the replica is behind is not known: it receives nothing from its primary\n";
    becomes(&server, "/replica?lag=1GB", cut_off);
    answers(&server, "the replica", of_replica(cut_off));
    assert_eq!(server.ops("/patroni").json()["role"], "replica");
    pair.replica.stop();
    becomes(&server, "/", "the database does not answer\n");
    answers(&server, "none", ["the database does not answer\n"; 7]);
}

#[test]
fn what_is_known_is_told_as_patroni_tells_it() {
    let (keys, pair) = (keys(), Pair::start());
    let of_primary = server(&keys, "server-1", &pair.primary, &[]);
    let of_replica = server(&keys, "server-2", &pair.replica, &[]);
    let number = |database: &Cluster, sql: &str| database.value(sql).parse::<u64>().unwrap();
    pair.primary.query("create table t (x int)");
    let version = number(&pair.primary, "show server_version_num");
    let position = number(&pair.primary, "select pg_current_wal_lsn() - '0/0'");
    let document = until("the primary's position", || {
        let document = of_primary.ops("/patroni").json();
        (document["xlog"]["location"].as_u64()? >= position).then_some(document)
    });
    assert_eq!(document["state"], "running");
    assert_eq!(document["role"], "primary");
    assert_eq!(document["server_version"], version);
    assert_eq!(document["timeline"], 1);
    assert_eq!(document["pgseal"]["name"], "server-1");
    let age = Duration::from_millis(document["pgseal"]["age_ms"].as_u64().unwrap());
    assert!(age < Duration::from_secs(5), "{document}");

    pair.wait_for_replay();
    paused(&pair.replica);
    pair.primary.query("insert into t values (1)");
    let replayed = number(&pair.replica, "select pg_last_wal_replay_lsn() - '0/0'");
    let document = until("what is received and not replayed", || {
        let document = of_replica.ops("/patroni").json();
        let xlog = &document["xlog"];
        (xlog["received_location"].as_u64()? > replayed && xlog["paused"] == true)
            .then_some(document)
    });
    assert_eq!(document["role"], "replica");
    assert_eq!(document["server_version"], version);
    assert_eq!(document["xlog"]["replayed_location"], replayed);
    assert_eq!(document["pgseal"]["name"], "server-2");
}
