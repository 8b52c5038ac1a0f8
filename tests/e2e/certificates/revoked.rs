//! Revocation: whoever shows a revoked certificate is refused, and what lives on one ends within
//! two seconds of its being in the store.

use std::thread;
use std::time::{Duration, Instant};

use harness::raw::tls::{AlertDescription, Hello};
use harness::raw::{Ended, message, tags};
use harness::{Keys, Leaf, Watch, until};
use rustls::HandshakeKind;

use super::{REVOKED_WITHIN, Stand, alerted, farewell, goes_on, install, says, serial};

const ENDED: &str = "the certificate of this session was revoked";

#[test]
fn a_revoked_client_is_refused_at_every_door() {
    let stand = Stand::start();
    let port = stand.server.port();
    // Even with what it may have kept of a session from before.
    let resuming = Hello::from(&stand.app).resuming();
    for _ in 0..2 {
        let mut session = resuming.connect(port).unwrap();
        session.start();
        let kind = session.stream().conn.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
    }
    stand.revoke(&stand.app);
    until("the server to hear it", || {
        let other = stand.ca.issue(&Leaf::client("other"));
        let request = harness::http::Request::get("/v1/status");
        let status = stand.server.control(&other, &request).json();
        (status["revocations"]["revoked"] == 1).then_some(())
    });
    for hello in [
        Hello::from(&stand.app),
        Hello::from(&stand.app).alpn(&["http/1.1"]),
        resuming,
    ] {
        assert_eq!(alerted(&hello, port), AlertDescription::CertificateRevoked);
    }
    assert_eq!(stand.turned_away().sqlstate(), "08006");
    // A new certificate for the same client is as good as ever.
    goes_on(&mut stand.session_of(&stand.ca.issue(&Leaf::client("app"))));
}

#[test]
fn sessions_of_a_revoked_client_end_in_time_and_others_go_on() {
    let stand = Stand::start();
    let other = stand.ca.issue(&Leaf::client("other"));
    let mut of_other = stand.session_of(&other);
    let idle = stand.session();
    let idle_without_connector = stand.session_of(&stand.app);
    let mut deaf = stand.session_of(&stand.app);
    deaf.send(message::query(
        "select repeat('x', 1000) from generate_series(1, 1000000)",
    ));
    let reads_on = |mut session: harness::raw::Session<harness::raw::tls::TlsStream>, sql: &str| {
        session.send(message::query(sql));
        assert_eq!(session.read().unwrap().tag, b'T');
        thread::spawn(move || {
            let mut last = None;
            loop {
                match session.read() {
                    Ok(message) => last = Some(message),
                    Err(ended) => return (last, ended, Instant::now()),
                }
            }
        })
    };
    // Rows that pass, rows that are looked into, and one row that is longer than any buffer.
    let results = [
        "select repeat('x', 1000), generate_series(1, 1000000000)",
        "select decode(repeat('61', 100), 'hex'), generate_series(1, 1000000000)",
        "select repeat('x', 5000000), generate_series(1, 1000000000)",
    ];
    let large = results.map(|sql| reads_on(stand.session_of(&stand.app), sql));
    until("the database to wait for the deaf one", || {
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'";
        (stand.database.value(waiting) != "0").then_some(())
    });

    let revoked = stand.revoke(&stand.app);
    let told = [farewell(idle), farewell(idle_without_connector)];
    assert!(
        revoked.elapsed() < REVOKED_WITHIN,
        "{:?}",
        revoked.elapsed()
    );
    for farewell in told {
        assert_eq!(says(&farewell), ("57P01".into(), ENDED.into()));
    }
    for large in large {
        let (last, ended, when) = large.join().unwrap();
        assert_eq!(ended, Ended::Closed);
        let last = last.unwrap();
        assert_eq!(last.tag, b'E', "it was cut in the middle");
        assert_eq!(says(&last), ("57P01".into(), ENDED.into()));
        let took = when.saturating_duration_since(revoked);
        assert!(took < REVOKED_WITHIN, "{took:?}");
    }
    // Nobody tells the deaf one; its session ends all the same.
    let request = harness::http::Request::get("/v1/status");
    until("its session to end", || {
        let status = stand.server.control(&other, &request).json();
        (status["sessions"] == 1).then_some(())
    });
    assert!(
        revoked.elapsed() < REVOKED_WITHIN,
        "{:?}",
        revoked.elapsed()
    );
    let backends = "select count(*) from pg_stat_activity
                    where backend_type = 'client backend' and pid <> pg_backend_pid()";
    until("the database's sessions to end", || {
        (stand.database.value(backends) == "1").then_some(())
    });
    goes_on(&mut of_other);
    drop(deaf);
}

#[test]
fn peers_are_told_at_once_and_control_connections_of_a_revoked_one_end() {
    let stand = Stand::start();
    let other = stand.ca.issue(&Leaf::client("other"));
    let port = stand.server.port();
    let mut watches = [Watch::start(&other, port), Watch::start(&stand.app, port)];
    for watch in &mut watches {
        let first = watch.news().unwrap();
        assert_eq!(first["revocations"]["serials"], serde_json::json!([]));
        // Heartbeats name the list, and do not repeat it.
        let started = Instant::now();
        let heartbeat = watch.news().unwrap();
        assert!(started.elapsed() < Duration::from_secs(2));
        assert_eq!(
            heartbeat["revocations"]["number"],
            first["revocations"]["number"]
        );
        assert!(heartbeat["revocations"].get("serials").is_none());
    }
    let revoked = stand.revoke(&stand.app);
    let [mut of_other, mut of_app] = watches;
    let news = until("the news", || {
        let line = of_other.news().unwrap();
        line["revocations"].get("serials").cloned()
    });
    assert_eq!(news, serde_json::json!([serial(&stand.app)]));
    while of_app.news().is_some() {}
    assert!(
        revoked.elapsed() < REVOKED_WITHIN,
        "{:?}",
        revoked.elapsed()
    );
    assert!(of_other.news().is_some());
}

#[test]
fn sessions_to_a_revoked_server_end_in_time_and_a_new_certificate_is_served() {
    let mut stand = Stand::start();
    stand.connector_has_heard(0);
    let idle = stand.session();
    let mut deaf = stand.session();
    deaf.send(message::query(
        "select repeat('x', 1000) from generate_series(1, 1000000)",
    ));
    until("the database to wait for the deaf one", || {
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'";
        (stand.database.value(waiting) != "0").then_some(())
    });
    let revoked = stand.revoke(&stand.primary);
    let told = farewell(idle);
    assert!(
        revoked.elapsed() < REVOKED_WITHIN,
        "{:?}",
        revoked.elapsed()
    );
    let text = "the certificate of the pgseal server was revoked";
    assert_eq!(says(&told), ("57P01".into(), text.into()));
    let sessions = || {
        let metrics = stand
            .connector
            .api(&harness::http::Request::get("/metrics"));
        let count = "pgseal_connector_sessions ";
        let line = metrics
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(count));
        line.unwrap().to_owned()
    };
    until("the deaf one's session to end", || {
        (sessions() == "0").then_some(())
    });
    assert!(
        revoked.elapsed() < REVOKED_WITHIN,
        "{:?}",
        revoked.elapsed()
    );
    assert_eq!(stand.turned_away().sqlstate(), "08006");
    stand
        .connector
        .process()
        .wait_for_line("invalid peer certificate: Revoked");

    let health = stand.server.ops("/health");
    assert_eq!(health.text(), "this server's certificate was revoked\n");
    install(
        &stand.dir,
        "server",
        &stand.ca.issue(&Leaf::server("primary")),
    );
    stand.server.apply(&[]);
    assert_eq!(stand.server.ops("/health").status, 200);
    goes_on(&mut stand.session());
    drop(deaf);
}

#[test]
fn a_server_cannot_take_back_what_a_connector_has_heard() {
    let mut stand = Stand::start();
    // Somebody brings up the revoked server before a store that knows nothing of it.
    let another = Keys::new();
    another.add_client("app");
    stand.revoke(&stand.primary);
    until("the connector to hear it", || {
        let mut session = stand.connector.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        (tags(&session.read_until_closed()) == "E").then_some(())
    });
    stand.server.reconfigure(&[
        &format!("store = '{}'", another.store().display()),
        &format!(
            "master_key_file = '{}'",
            another.master_key_file().display()
        ),
    ]);
    stand.server.restart();
    let other = stand.session_of(&stand.app);
    drop(other);
    assert_eq!(stand.turned_away().sqlstate(), "08006");
    // Nor can it with a certificate that is good, and a list without the bad one.
    install(
        &stand.dir,
        "server",
        &stand.ca.issue(&Leaf::server("primary")),
    );
    stand.server.apply(&[]);
    let tells = "the server tells which certificates are revoked";
    until("the connector to hear the other list", || {
        let log = stand.connector.process().log();
        (log.matches(tells).count() > 1).then_some(())
    });
    stand.connector_has_heard(1);
    install(&stand.dir, "server", &stand.primary);
    stand.server.apply(&[]);
    assert_eq!(stand.turned_away().sqlstate(), "08006");
}
