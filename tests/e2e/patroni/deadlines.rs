//! How soon a switchover, a lost primary, and a Patroni that hangs, is killed or shows a wrong certificate
//! are told.

use std::thread;
use std::time::{Duration, Instant};

use harness::raw::{message, rows};
use harness::{
    Ca, Connect, Keys, Leaf, PATIENCE, Patroni, Server, Then, Watch, connects, is_long, until,
};
use serde_json::Value;

use super::{Stand, ends, has_role, is_gone};
use crate::several::none_fails;

/// `monitor_interval`, as it comes.
const INTERVAL: Duration = Duration::from_millis(100);

/// From Patroni's answering differently to its being told, beyond the interval.
const TOLD_WITHIN: Duration = Duration::from_millis(100);

/// `wait_for_primary`, as it comes.
const WAIT_FOR_PRIMARY: Duration = Duration::from_secs(10);

/// From one connect to the next.
const PACE: Duration = Duration::from_millis(40);

/// Sessions that may be caught by the end of the old primary just when they have been let in.
const MOST_ENDED: usize = 2;

/// `monitor_timeout`, as it comes.
const LIMIT: Duration = Duration::from_secs(1);

#[test]
fn switchovers_and_then_a_lost_primary_are_followed() {
    let mut stand = Stand::start();
    let mut timeline = are_told(&stand);
    let switchovers = if is_long() { 10 } else { 1 };
    for number in 0..switchovers {
        is_followed(&stand, [number % 2, (number + 1) % 2], timeline);
        timeline += 1;
    }

    let (lost, left) = (switchovers % 2, (switchovers + 1) % 2);
    stand.patroni.kill(lost);
    stand.watch(lost).until("the end of the database", is_gone);
    stand.is_reached(left);
    let (standing, _) = stand.watch(left).until("the primary", has_role("primary"));
    assert_eq!(standing["database"]["timeline"], timeline + 1);
}

/// A switchover is told in time, sessions that run end, and those that begin all the while wait for it.
#[track_caller]
fn is_followed(stand: &Stand, [from, to]: [usize; 2], timeline: u64) {
    let sessions = stand.sessions();
    let mut news = stand.watch(to);
    news.until("the replica", has_role("replica"));
    let told = thread::spawn(move || news.until("the primary", has_role("primary")));
    let mut seen = None;
    let address = [&stand.connector, &stand.connector_of_one][from].address();
    let connects = connects(address, Then::End, PACE, PATIENCE, || {
        seen = Some(thread::scope(|scope| {
            let patroni = &stand.patroni;
            let seen = scope.spawn(|| {
                until("Patroni to tell of the switchover", || {
                    let status = patroni.status(to);
                    let is_primary = status["role"] == "master" || status["role"] == "primary";
                    (is_primary && status["state"] == "running").then(Instant::now)
                })
            });
            patroni.switchover(from, to);
            seen.join().unwrap()
        }));
    });
    let (standing, told) = told.join().unwrap();
    let late = told.saturating_duration_since(seen.unwrap());
    assert!(late < INTERVAL + TOLD_WITHIN, "told after {late:?}");
    assert_eq!(standing["database"]["timeline"], timeline + 1);
    for session in sessions {
        assert_eq!(ends(session), "57P01");
    }
    stand.is_reached(to);
    let (ended, others): (Vec<_>, Vec<_>) = connects.into_iter().partition(was_let_in);
    assert!(ended.len() <= MOST_ENDED, "{ended:?}");
    none_fails(&others, WAIT_FOR_PRIMARY);
    // The old primary follows the new one.
    stand.patroni.wait_for_role(from, "replica");
    stand.watch(from).until("the replica", has_role("replica"));
}

/// Whether PostgreSQL ended a session that had begun there, and could be asked nothing yet: it says this to
/// nobody before it has let them in.
fn was_let_in(connect: &Connect) -> bool {
    let met = connect.met.as_deref().unwrap_or_default();
    met.contains("C57P01") && met.contains("RProcessInterrupts")
}

/// What a primary and its replica are told to be, by every way in which a server tells it. The timeline
/// that they are on.
#[track_caller]
fn are_told(stand: &Stand) -> u64 {
    let mut session = stand.patroni.database(0).raw();
    session.start();
    session.query("create table t (x int)");
    let answer = session.query("select pg_current_wal_lsn() - '0/0'");
    let written = rows(&answer)[0][0].clone().unwrap();
    let written: u64 = String::from_utf8(written).unwrap().parse().unwrap();
    session.send(message::terminate());
    for (server, role) in [(0, "primary"), (1, "replica")] {
        let (standing, _) = stand.watch(server).until("the position", |standing| {
            standing["database"]["position"].as_u64() >= Some(written)
        });
        assert_eq!(standing["availability"], "accepting");
        assert_eq!(standing["database"]["role"], role);
        let timeline = &stand.patroni.status(0)["timeline"];
        assert_eq!(standing["database"]["timeline"], *timeline, "{standing}");
        let asked = stand.servers[server].ops(&format!("/{role}"));
        assert_eq!(
            (asked.status, asked.text()),
            (200, format!("{role}\n").as_str())
        );
    }
    stand.watch(1).until("no delay", is_not_late);
    let near = stand.servers[1].ops("/replica?lag=1GB");
    assert_eq!(near.status, 503);
    assert!(
        near.text().contains("Patroni does not tell it"),
        "{}",
        near.text()
    );
    assert!(stand.servers[1].ops("/patroni").json()["server_version"].as_u64() > Some(150_000));

    is_told_late(stand);
    stand.patroni.status(0)["timeline"].as_u64().unwrap()
}

/// What is received and not replayed is late, by when the last transaction was that is replayed.
#[track_caller]
fn is_told_late(stand: &Stand) {
    let [primary, replica] = [0, 1].map(|node| stand.patroni.database(node));
    let says = |sql: &str| {
        let mut session = replica.raw();
        session.start();
        let answer = session.query(sql);
        session.send(message::terminate());
        String::from_utf8(rows(&answer)[0][0].clone().unwrap_or_default()).unwrap()
    };
    let insert = || {
        let mut session = primary.raw();
        session.start();
        session.query("insert into t values (1)");
        session.send(message::terminate());
    };
    let is_late = || says("select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()") == "t";
    let mut news = stand.watch(1);
    // Once in a while Patroni resumes a replay that is paused (`handle_parameter_change`), and before that
    // may have had the replica connect anew, which it does not while the replay is paused.
    until("a delay that is told", || {
        says("select pg_wal_replay_pause()");
        until("the replay to pause", || {
            (says("select pg_get_wal_replay_pause_state()") != "pause requested").then_some(())
        });
        insert();
        let (standing, _) = news.until("the delay, or none in the database", |standing| {
            !is_not_late(standing) || !is_late()
        });
        says("select pg_wal_replay_resume()");
        (!is_not_late(&standing)).then_some(())
    });
    news.until("no delay", is_not_late);
}

/// Patroni 3.0 does not tell whether a replica receives: then nobody knows of a delay.
fn is_not_late(standing: &Value) -> bool {
    matches!(standing["database"]["delay_ms"].as_u64(), None | Some(0))
}

#[test]
fn a_patroni_that_says_nothing_or_is_not_the_right_one_leaves_the_database_unknown() {
    let (keys, ca) = (Keys::new(), Ca::new());
    keys.add_client("app");
    let mut patroni = Patroni::start_tls(&ca.issue(&Leaf::server("patroni").without_uri()));
    let server = |label: &str, ca: &Ca| {
        let lines = [
            format!("database.monitor.patroni = '{}'", patroni.url(0)),
            format!(
                "database.monitor.patroni_ca = '{}'",
                ca.certificate().display()
            ),
        ];
        let database = patroni.database(0).to_string();
        let identity = keys.server_identity(label);
        Server::start(
            label,
            &identity,
            &keys,
            &database,
            &lines.each_ref().map(String::as_str),
        )
    };
    let (asking, distrusting) = (server("asking", &ca), server("distrusting", &Ca::new()));
    let watch = |server: &Server| Watch::start(&keys.client_identity("app"), server.port());
    let mut news = watch(&asking);
    news.until("the primary", has_role("primary"));
    // Patroni and its database may have taken a while to start.
    let begun = errors(&asking).len();
    let line = distrusting
        .process()
        .wait_for_line("does not answer the monitor");
    assert!(
        line.contains("its certificate was made by no CA in database.monitor.patroni_ca"),
        "{line}"
    );
    watch(&distrusting).until("no database", is_gone);

    let frozen = Instant::now();
    patroni.freeze(0);
    let (_, told) = news.until("the silence", is_gone);
    let late = told - frozen;
    assert!(
        late < LIMIT + Duration::from_millis(300),
        "told after {late:?}"
    );
    let answers = format!("database_answers{{database=\"{}\"}}", patroni.database(0));
    assert_eq!(asking.counted(&answers), 0);
    patroni.thaw(0);
    news.until("the primary again", has_role("primary"));
    assert_eq!(asking.counted(&answers), 1);

    patroni.kill_patroni(0);
    news.until("nobody to ask", is_gone);
    patroni.launch(0);
    news.until("the primary once more", has_role("primary"));

    let said = errors(&asking);
    let [silent, refused] = &said[begun..] else {
        panic!("{said:#?}");
    };
    assert!(
        silent.contains("gave no answer within 1000 ms (monitor_timeout)"),
        "{silent}"
    );
    let nobody = format!("Patroni at {} ", patroni.url(0));
    assert!(refused.contains(&nobody), "{refused}");
}

fn errors(server: &Server) -> Vec<String> {
    let log = server.process().log();
    let errors = log.lines().filter(|line| line.contains("ERROR"));
    errors.map(str::to_owned).collect()
}
