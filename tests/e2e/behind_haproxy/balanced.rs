//! Where HAProxy sends sessions, by what the servers' ops ports answer it.

use harness::raw::{Ended, message, tags};
use harness::{Connector, Pair, Signal};

use super::*;

struct Stand {
    balancer: Balancer,
    servers: [Server; 2],
    pair: Pair,
    keys: Keys,
}

impl Stand {
    /// A server before a primary and one before its replica.
    fn start(other: &[(&str, &str)]) -> Self {
        let (keys, pair) = (keys(), Pair::start());
        let servers = [("server-1", &pair.primary), ("server-2", &pair.replica)];
        let servers = servers.map(|(name, database)| server(&keys, name, database, &[]));
        let stand = Self {
            balancer: Balancer::start(&keys, servers.each_ref(), other),
            servers,
            pair,
            keys,
        };
        stand.up("primary", &["server-1"]);
        stand.up("replicas", &["server-2"]);
        stand
    }

    #[track_caller]
    fn up(&self, backend: &str, servers: &[&str]) {
        self.balancer.haproxy.wait_until_up(backend, servers);
    }
}

#[test]
fn sessions_go_where_the_primary_and_the_replica_are_and_follow_a_promotion() {
    let mut stand = Stand::start(&[]);
    for _ in 0..5 {
        assert!(!is_on_replica(&mut stand.balancer.writer()));
        assert!(is_on_replica(&mut stand.balancer.reader()));
    }
    let started = |server: &Server| server.counted("sessions_started_total");
    assert_eq!(stand.servers.each_ref().map(started), [5, 5]);

    // With a connector too. Who is revoked it asks a server itself.
    let control = format!("control = '127.0.0.1:{}'", stand.servers[1].port());
    let app = stand.keys.client_identity("app");
    let through = stand.balancer.ports[0].number();
    let connector = Connector::start("connector", &app, through, &[&control]);
    let mut session = connector.address().raw();
    session.start();
    assert_eq!(tags(&session.query("create table t (x int)")), "CZ");
    stand.pair.wait_for_replay();

    stand.pair.primary.kill();
    stand.pair.replica.query("select pg_promote()");
    stand.up("primary", &["server-2"]);
    stand.up("replicas", &[]);
    let mut session = connector.address().raw();
    session.start();
    assert_eq!(tags(&session.query("insert into t values (1)")), "CZ");
    // Where there is no replica, the primary is read from.
    assert!(!is_on_replica(&mut stand.balancer.reader()));
}

#[test]
fn checks_that_were_written_for_other_daemons_find_the_primary_and_the_replica() {
    let stand = Stand::start(&[]);
    let of_primary = "option httpchk OPTIONS /primary";
    let of_replica = "option httpchk OPTIONS /replica?lag=16MB";
    for (primary, replica) in [
        // Patroni's, as HAProxy asks by itself, and as it is asked by path.
        ("option httpchk", "option httpchk HEAD /replica"),
        (
            "option httpchk HEAD /",
            "option httpchk GET /replica?lag=1048576",
        ),
        // Scripts that answer in words.
        (
            "option httpchk GET /\n    http-check expect string OK\\ :\\ master",
            "option httpchk GET /\n    http-check expect string OK\\ :\\ slave",
        ),
    ] {
        let other = [(of_primary, primary), (of_replica, replica)];
        let balancer = Balancer::start(&stand.keys, stand.servers.each_ref(), &other);
        balancer.haproxy.wait_until_up("primary", &["server-1"]);
        balancer.haproxy.wait_until_up("replicas", &["server-2"]);
        assert!(!is_on_replica(&mut balancer.writer()), "{primary}");
        assert!(is_on_replica(&mut balancer.reader()), "{replica}");
    }
    let anybody = [
        (of_primary, "option httpchk GET /patroni"),
        (
            of_replica,
            "option httpchk GET /\n    http-check expect string OK\\ :",
        ),
    ];
    let balancer = Balancer::start(&stand.keys, stand.servers.each_ref(), &anybody);
    for backend in ["primary", "replicas"] {
        balancer
            .haproxy
            .wait_until_up(backend, &["server-1", "server-2"]);
    }
}

#[test]
fn a_replica_that_is_too_far_behind_gets_no_sessions_until_it_has_caught_up() {
    let stand = Stand::start(&[("lag=16MB", "lag=64kB")]);
    let Pair { primary, replica } = &stand.pair;
    primary.query("create table t (x text)");
    stand.pair.wait_for_replay();
    assert!(is_on_replica(&mut stand.balancer.reader()));
    paused(replica);
    primary.query("insert into t select repeat('x', 1000) from generate_series(1, 300)");
    stand.up("replicas", &[]);
    let check = stand.servers[1].ops("/replica?lag=64kB");
    assert_eq!(check.status, 503);
    let says = check.text();
    assert!(
        says.ends_with(" bytes behind its primary, and 65536 are allowed\n"),
        "{says}"
    );
    assert!(!is_on_replica(&mut stand.balancer.reader()));
    replica.query("select pg_wal_replay_resume()");
    stand.up("replicas", &["server-2"]);
    assert!(is_on_replica(&mut stand.balancer.reader()));
}

#[test]
fn a_server_that_drains_gets_no_new_sessions_and_none_fails_and_those_it_has_go_on() {
    let (keys, database) = (keys(), Cluster::start());
    let servers = ["server-1", "server-2"].map(|name| server(&keys, name, &database, &[]));
    let balancer = Balancer::start(&keys, servers.each_ref(), &[]);
    let both = ["server-1", "server-2"];
    balancer.haproxy.wait_until_up("primary", &both);
    // One after the other, so one is on each.
    let mut sessions = [balancer.writer(), balancer.writer()];
    let count = |server: &Server| server.counted("sessions");
    assert_eq!(servers.each_ref().map(count), [1, 1]);

    let draining = servers[0].process();
    draining.signal(Signal::TERM);
    draining.wait_for_line("draining");
    for path in ["/", "/primary", "/read-only", "/health", "/patroni"] {
        assert_eq!(servers[0].ops(path).status, 503, "{path}");
    }
    // HAProxy has not noticed yet, and tries the other one at once.
    let more: Vec<_> = (0..20).map(|_| balancer.writer()).collect();
    assert_eq!(servers.each_ref().map(count), [1, 21]);
    balancer.haproxy.wait_until_up("primary", &both[1..]);
    for session in &mut sessions {
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
    }
    drop(more);
    let [mut first, mut second] = sessions;
    first.send(message::terminate());
    second.send(message::terminate());
    assert_eq!(first.read(), Err(Ended::Closed));
    assert_eq!(draining.wait().code(), Some(0));
}
