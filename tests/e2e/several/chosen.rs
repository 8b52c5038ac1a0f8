//! Which server a session and a request go to.

use std::thread;
use std::time::{Duration, Instant};

use harness::http::Request;
use harness::raw::{message, tags};
use harness::{Ca, Impostor, Leaf, Server, Several, Signal, free_port, until};

use super::{all_up, is_up, session};

/// What a session is told that nobody takes.
#[track_caller]
fn turned_away(several: &Several) -> String {
    let mut session = several.address().raw();
    session.send(message::startup(&[("user", "postgres")]));
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E", "{heard:?}");
    heard[0].sqlstate()
}

#[test]
fn sessions_go_to_all_servers_in_turn() {
    let several = Several::start(2, &[], &[]);
    all_up(&several);
    let sessions: Vec<_> = (0..10).map(|_| session(&several)).collect();
    for server in &several.servers {
        assert_eq!(server.counted("sessions"), 5);
    }
    let listed = several.connector.api(&Request::get("/v1/sessions")).json();
    let listed = listed["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 10);
    for (session, number) in sessions.iter().zip(0..) {
        let entry = &listed[number];
        let local = session.stream().local_addr().unwrap();
        assert_eq!(entry["application"], local.to_string());
        assert_eq!(entry["listener"], several.address().to_string());
        assert!(entry["since"].as_str().unwrap().ends_with('Z'), "{entry}");
    }
    let database = several.database.address().to_string();
    for (server, id) in several.servers.iter().zip(["server-1", "server-2"]) {
        let address = format!("127.0.0.1:{}", server.port());
        let here = listed.iter().filter(|it| it["server"] == address.as_str());
        assert_eq!(here.clone().count(), 5);
        for entry in here {
            assert_eq!(entry["server_id"], id);
            assert_eq!(entry["database"], database.as_str());
        }
    }
    let asks = "select count(*) from pg_stat_activity where pid = ";
    let process = listed[0]["process"].as_u64().unwrap();
    assert_eq!(several.database.value(&format!("{asks}{process}")), "1");
    drop(sessions);
    until("the sessions to leave the list", || {
        let listed = several.connector.api(&Request::get("/v1/sessions")).json();
        listed["sessions"]
            .as_array()
            .unwrap()
            .is_empty()
            .then_some(())
    });
}

#[test]
fn a_wrong_certificate_is_told_once_and_sessions_go_elsewhere() {
    let stranger = Impostor::start(&Ca::new().issue(&Leaf::server("server-2")));
    let address = format!("127.0.0.1:{}", stranger.port());
    let several = Several::start(1, &[&address], &[]);
    all_up(&several);
    for _ in 0..10 {
        let mut session = session(&several);
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
    }
    let failed = format!("server_checks_failed_total{{server=\"{address}\"}}");
    until("a second check", || {
        (several.connector.counted(&failed) > 1).then_some(())
    });
    let log = several.connector.process().log();
    let lines = log.lines().filter(|line| line.contains("certificate:"));
    let lines: Vec<_> = lines.filter(|line| line.contains(&address)).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("UnknownIssuer"), "{}", lines[0]);
    assert!(
        lines[0].contains(&format!("{address} is down")),
        "{}",
        lines[0]
    );
    assert_eq!(stranger.heard(), b"");
}

#[test]
fn a_name_that_does_not_resolve_is_a_server_that_is_down() {
    let several = Several::start(1, &["no-such-host.invalid:9393"], &[]);
    all_up(&several);
    let line = several
        .connector
        .process()
        .wait_for_line("no-such-host.invalid:9393 is down");
    assert!(line.contains("cannot be reached"), "{line}");
    for _ in 0..4 {
        assert_eq!(tags(&session(&several).query("select 1")), "TDCZ");
    }
}

/// A server of the same keys that cannot reach its database.
fn without_database(several: &Several) -> Server {
    let identity = several.keys.server_identity("without");
    Server::start("without", &identity, &several.keys, "127.0.0.1:1", &[])
}

#[test]
fn a_server_that_refuses_for_lack_of_its_database_is_passed_over() {
    let mut several = Several::start(1, &[], &[]);
    let refusing = without_database(&several);
    let good = several.servers[0].port();
    let list = |ports: &[u16]| {
        let addresses: Vec<_> = ports.iter().map(|it| format!("'127.0.0.1:{it}'")).collect();
        format!("servers = [{}]", addresses.join(", "))
    };
    several
        .connector
        .reconfigure(&[&list(&[refusing.port(), good])]);
    several.connector.restart();
    all_up(&several);
    is_up(&several, refusing.port(), 1);
    for _ in 0..6 {
        assert_eq!(tags(&session(&several).query("select 1")), "TDCZ");
    }
    let failed = format!(
        "server_connects_failed_total{{server=\"127.0.0.1:{}\"}}",
        refusing.port()
    );
    assert!(several.connector.counted(&failed) > 0);
    // Where there is no other, its own words are passed on.
    let another = without_database(&several);
    let lines = [list(&[refusing.port(), another.port()])];
    several.connector.reconfigure(&[&lines[0]]);
    several.connector.restart();
    let mut session = several.address().raw();
    session.send(message::startup(&[("user", "postgres")]));
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E");
    let says = heard[0].field(b'M');
    assert_eq!(
        says.as_deref(),
        Some("the pgseal server cannot reach its database")
    );
}

#[test]
fn where_nobody_serves_the_application_is_told_so() {
    let ports = [free_port(), free_port()];
    let list = ports.each_ref().map(|port| format!("127.0.0.1:{port}"));
    let list = list.each_ref().map(String::as_str);
    let several = Several::start(0, &list, &[]);
    assert_eq!(turned_away(&several), "08006");
    assert_eq!(
        several.connector.api(&Request::get("/v1/client")).status,
        502
    );
}

#[test]
fn a_session_waits_for_a_primary_and_no_longer_than_it_should() {
    let promise = Duration::from_millis(700);
    let lines = [
        "balance.target = 'primary'",
        "balance.wait_for_primary = '700ms'",
    ];
    // A server whose role nobody knows is none.
    let several = Several::start(0, &["127.0.0.1:1"], &lines);
    let begun = Instant::now();
    assert_eq!(turned_away(&several), "57P03");
    let after = begun.elapsed();
    assert!((promise..3 * promise).contains(&after), "{after:?}");
}

#[test]
fn sessions_over_max_connections_wait_for_a_place() {
    let lines = [
        "balance.max_connections = 1",
        "balance.queue_timeout = '1s'",
    ];
    let several = Several::start(2, &[], &lines);
    all_up(&several);
    let first = session(&several);
    let _second = session(&several);
    assert_eq!(turned_away(&several), "53300");
    thread::scope(|scope| {
        let third = scope.spawn(|| tags(&session(&several).query("select 1")));
        drop(first);
        assert_eq!(third.join().unwrap(), "TDCZ");
    });
}

#[test]
fn the_local_api_is_answered_by_any_server_that_is_there() {
    let several = Several::start(2, &[], &[]);
    all_up(&several);
    for server in &several.servers {
        let answer = several.connector.api(&Request::get("/v1/client"));
        assert_eq!(answer.status, 200);
        server.process().kill();
    }
    is_up(&several, several.servers[1].port(), 0);
    let answer = several.connector.api(&Request::get("/v1/client"));
    assert_eq!(answer.status, 502);
}

#[test]
fn whoever_waits_for_a_primary_may_go_and_is_told_when_the_connector_ends() {
    let lines = [
        "balance.target = 'primary'",
        "balance.wait_for_primary = '1h'",
        "drain_timeout = '100ms'",
    ];
    let several = Several::start(1, &[], &lines);
    let waiting = || {
        let mut session = several.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        session
    };
    let sessions = |count| {
        until("the connector to have so many sessions", || {
            (several.connector.counted("sessions") == count).then_some(())
        });
    };
    let (mut stays, goes) = (waiting(), waiting());
    sessions(2);
    drop(goes);
    sessions(1);
    several.connector.process().signal(Signal::TERM);
    let heard = stays.read_until_closed();
    assert_eq!(tags(&heard), "E");
    assert_eq!(heard[0].sqlstate(), "57P01");
}
