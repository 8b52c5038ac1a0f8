//! Clocks that are an hour wrong: nothing is believed for it that would not be believed otherwise.

use harness::{Patroni, Program, Settings, Watch, wrong_clock};

use super::*;

#[test]
fn a_server_and_a_connector_whose_clocks_are_an_hour_ahead_serve_as_ever() {
    let (mut server, mut connector, _others) = one_of_each();
    let clock = wrong_clock("+1h");
    server.restart_fixed(&[], &clock);
    drop(until("a session by a server whose clock is wrong", || {
        begins(connector.address()).ok()
    }));
    assert_eq!(server.ops("/health").status, 200);
    connector.restart_fixed(&clock);
    drop(until(
        "a session by a connector whose clock is wrong",
        || begins(connector.address()).ok(),
    ));
}

#[test]
fn a_program_by_whose_clock_its_certificate_is_not_valid_yet_does_not_start() {
    let (keys, clock) = (Keys::new(), wrong_clock("-1h"));
    keys.add_client("app");
    let identity = keys.client_identity("app");
    let connector = Program::named("pgseal-connector")
        .args(["--listen", "127.0.0.1:0", "--server", "127.0.0.1:1"])
        .arg(format!(
            "--tls-certificate={}",
            identity.certificate.display()
        ))
        .arg(format!(
            "--tls-private-key={}",
            identity.private_key.display()
        ))
        .arg(format!("--tls-ca={}", identity.ca.display()));
    let connector = clock
        .iter()
        .fold(connector, |program, (name, value)| program.env(name, value));
    let ended = connector.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("and not now"), "{ended:?}");
}

/// A server, a connector, and what stands behind them.
fn one_of_each() -> (Server, Connector, (Keys, Cluster)) {
    let (keys, database) = (Keys::new(), Cluster::start());
    keys.add_client("app");
    let identity = keys.server_identity("server");
    let address = database.address().to_string();
    let server = Server::start("server", &identity, &keys, &address, &[]);
    let identity = keys.client_identity("app");
    let connector = Connector::start("connector", &identity, server.port(), &[]);
    (server, connector, (keys, database))
}

#[test]
fn how_late_a_replica_is_whose_clock_is_behind_is_not_known_and_one_whose_clock_is_ahead_is_late() {
    for (offset, is_told) in [("-1h", false), ("+1h", true)] {
        let primary = Settings::new().start_cluster();
        let replica = Settings::new().clock(offset).start_replica(&primary);
        receives(&replica, 1);
        let keys = Keys::new();
        keys.add_client("app");
        let watch = ["database.monitor.user = 'postgres'"];
        let identity = keys.server_identity("server");
        let address = replica.address().to_string();
        let server = Server::start("server", &identity, &keys, &address, &watch);
        primary.query("create table t (x int)");
        replica.wait_for_replay(&primary.wal_end());
        replica.query("select pg_wal_replay_pause()");
        until("the replay to pause", || {
            (replica.value("select pg_get_wal_replay_pause_state()") == "paused").then_some(())
        });
        primary.query("insert into t values (1)");
        let mut news = Watch::start(&keys.client_identity("app"), server.port());
        let (standing, _) = news.until("a replica that is late", |it| {
            it["database"]["role"] == "replica" && it["database"]["delay_ms"] != 0
        });
        let delay = standing["database"]["delay_ms"].as_u64();
        assert_eq!(delay.is_some(), is_told, "{standing}");
        assert!(delay.is_none_or(|delay| delay > 3_000_000), "{standing}");
    }
}

#[test]
fn by_patroni_a_server_whose_clock_is_behind_does_not_know_how_late_a_replica_is() {
    let keys = Keys::new();
    keys.add_client("app");
    let patroni = Patroni::start(2);
    let asked = format!("database.monitor.patroni = '{}'", patroni.url(1));
    let database = patroni.database(1).to_string();
    let identity = keys.server_identity("server");
    let mut server = Server::start("server", &identity, &keys, &database, &[&asked]);
    // By more its certificate would not be valid yet.
    server.restart_fixed(&[], &wrong_clock("-200s"));
    let [primary, replica] = [0, 1].map(|node| {
        let mut session = patroni.database(node).raw();
        session.start();
        session
    });
    let (mut primary, mut replica) = (primary, replica);
    primary.query("create table t (x int)");
    let mut news = Watch::start(&keys.client_identity("app"), server.port());
    // Patroni may resume a replay that is paused, once in a while.
    until("the replica to be late", || {
        replica.query("select pg_wal_replay_pause()");
        primary.query("insert into t values (1)");
        let answer = replica.query("select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()");
        (rows(&answer)[0][0].as_deref() == Some(b"t")).then_some(())
    });
    let (standing, _) = news.until("a replica", |it| it["database"]["role"] == "replica");
    assert!(standing["database"]["delay_ms"].is_null(), "{standing}");
}
