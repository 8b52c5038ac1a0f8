//! Cancel requests where there are several servers: each finds the one that has its session.

use std::time::{Duration, Instant};

use harness::http::Request;
use harness::raw::{Session, message};
use harness::{Address, Connector, Server, Several, Signal, until};

use super::all_up;

/// A session that waits in a query, and the key that cancels it.
fn asleep(several: &Several, address: Address) -> (Session, Vec<u8>) {
    let mut session = address.raw();
    let greeting = session.start();
    let key = greeting.iter().find(|it| it.tag == b'K').unwrap();
    session.send(message::query("select pg_sleep(600)"));
    until("the query to begin", || {
        let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
        (several.database.value(asleep) == "1").then_some(())
    });
    (session, key.body.clone())
}

/// Sends a cancel request and waits until it has been dealt with.
#[track_caller]
fn cancel(address: Address, key: &[u8]) {
    let mut cancel = address.raw();
    cancel.send(message::cancel_request(key));
    assert_eq!(cancel.read_until_closed(), []);
}

#[track_caller]
fn is_cancelled(session: &mut Session) {
    let answer = session.read_until_ready();
    let error = answer.iter().find(|it| it.tag == b'E').unwrap();
    assert_eq!(error.sqlstate(), "57014");
}

#[test]
fn a_cancel_request_finds_the_server_of_its_session() {
    // Nobody is down here: a request that waits for the servers that hang would wait long.
    let lines = ["checks.timeout = '1h'", "connect_timeout = '1h'"];
    let several = Several::start(3, &[], &lines);
    all_up(&several);
    for _ in 0..several.servers.len() {
        let (mut session, key) = asleep(&several, several.address());
        let has_it = |it: &&Server| it.counted("sessions") > 0;
        let others = several.servers.iter().filter(|it| !has_it(it));
        let others: Vec<_> = others.map(Server::process).collect();
        assert_eq!(others.len(), 2);
        others.iter().for_each(|it| it.signal(Signal::STOP));
        let begun = Instant::now();
        cancel(several.address(), &key);
        is_cancelled(&mut session);
        let after = begun.elapsed();
        others.iter().for_each(|it| it.signal(Signal::CONT));
        assert!(after < Duration::from_secs(2), "{after:?}");
        session.send(message::terminate());
        until("the session to end", || {
            let mut sessions = several.servers.iter().map(|it| it.counted("sessions"));
            sessions.all(|count| count == 0).then_some(())
        });
    }
}

#[test]
fn a_cancel_request_of_another_connectors_session_is_put_to_every_server() {
    let several = Several::start(2, &[], &[]);
    all_up(&several);
    for server in &several.servers {
        let identity = several.keys.client_identity("app");
        let other = Connector::start("other", &identity, server.port(), &[]);
        let (mut session, key) = asleep(&several, other.address());
        cancel(several.address(), &key);
        is_cancelled(&mut session);
    }
}

#[test]
fn a_cancel_request_that_comes_to_another_server_is_put_to_its_peers() {
    let mut several = Several::start(3, &[], &[]);
    several.make_peers();
    let connector = |client: &str, server: &Server| {
        let identity = several.keys.client_identity(client);
        Connector::start(client, &identity, server.port(), &[])
    };
    several.keys.add_client("other");
    let [here, there, _] = several.servers.as_slice() else {
        panic!("there are three")
    };
    let (ours, theirs) = (connector("app", here), connector("app", there));
    let stranger = connector("other", there);
    let (mut session, key) = asleep(&several, ours.address());
    // Nobody else's, and with no other secret.
    cancel(stranger.address(), &key);
    let mut wrong = key.clone();
    *wrong.last_mut().unwrap() ^= 1;
    cancel(theirs.address(), &wrong);
    assert_eq!(here.counted("cancels_total"), 0);
    assert_eq!(there.counted("cancels_unknown_total"), 2);
    cancel(theirs.address(), &key);
    is_cancelled(&mut session);
    assert_eq!(here.counted("cancels_total"), 1);
    // It is over when it has been dealt with: no later query is hit.
    assert_eq!(session.query("select 1").len(), 4);
    let debug = [here, there].map(|it| it.process().log());
    assert!(
        !debug
            .iter()
            .any(|log| log.contains("WARN") && log.contains("cancel")),
        "{debug:?}"
    );
}

#[test]
fn a_cancel_request_is_put_to_the_peers_that_answer_and_the_others_are_told_of_once() {
    let mut several = Several::start(3, &[], &[]);
    several.make_peers();
    several.servers[2].process().kill();
    let [here, there, _] = several.servers.as_slice() else {
        panic!("there are three")
    };
    let identity = several.keys.client_identity("app");
    let connector = |server: &Server| Connector::start("app", &identity, server.port(), &[]);
    let (ours, theirs) = (connector(here), connector(there));
    let (mut session, key) = asleep(&several, ours.address());
    let mut wrong = key.clone();
    *wrong.last_mut().unwrap() ^= 1;
    for _ in 0..5 {
        cancel(theirs.address(), &wrong);
    }
    cancel(theirs.address(), &key);
    is_cancelled(&mut session);
    let log = there.process().log();
    let lines = log.matches("a peer could not be asked for it").count();
    assert!((1..=2).contains(&lines), "{log}");
    assert!(
        log.contains(&several.servers[2].port().to_string()),
        "{log}"
    );
}

#[test]
fn only_servers_put_cancel_requests_to_a_server_and_clients_hear_of_their_own_sessions() {
    let several = Several::start(1, &[], &[]);
    several.keys.add_client("other");
    let server = &several.servers[0];
    let session = several.address().raw();
    let _open = {
        let mut session = session;
        session.start();
        session
    };
    let keys = &several.keys;
    let (app, other) = (keys.client_identity("app"), keys.client_identity("other"));
    let (admin, peer) = (
        keys.admin_identity("root"),
        keys.server_identity("server-2"),
    );
    let body = r#"{"client": "app", "process": 1, "secret": "AAAA"}"#;
    let cancel = Request::post("/v1/cancel").body(body);
    for identity in [&app, &admin] {
        assert_eq!(server.control(identity, &cancel).status, 403);
    }
    let answer = server.control(&peer, &cancel);
    assert_eq!((answer.status, answer.text()), (200, r#"{"found":false}"#));
    for (bad, why) in [
        ("{}", "missing field"),
        (
            r#"{"client": "", "process": 1, "secret": "AAAA"}"#,
            "client: ",
        ),
        (
            r#"{"client": "app", "process": 1, "secret": "A"}"#,
            "secret: not base64",
        ),
        (
            r#"{"client": "app", "process": -1, "secret": "AAAA"}"#,
            "invalid value",
        ),
    ] {
        let answer = server.control(&peer, &Request::post("/v1/cancel").body(bad));
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(why), "{}", answer.text());
    }
    let sessions = Request::get("/v1/sessions");
    for (identity, count) in [(&app, 1), (&other, 0), (&admin, 1), (&peer, 1)] {
        let view = server.control(identity, &sessions).json();
        assert_eq!(view["server"], "server-1");
        assert_eq!(view["sessions"].as_array().unwrap().len(), count, "{view}");
    }
    let view = server.control(&app, &sessions).json();
    let session = &view["sessions"][0];
    assert_eq!(session["client"], "app");
    assert_eq!(session["database"], several.database.address().to_string());
}
