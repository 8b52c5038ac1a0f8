//! What a server tells of its database: role, timeline and position of a primary and its replica, a
//! promotion, and a database that is gone.

mod deadlines;
mod logins;

use std::time::{Duration, Instant};

use harness::raw::message;
use harness::{Cluster, Keys, Pair, Release, Server, Settings, TestDir, Watch, until};
use serde_json::Value;

/// `monitor_interval`, as it comes.
const INTERVAL: Duration = Duration::from_millis(100);

/// From the database's answering differently to its being told, beyond the interval.
const TOLD_WITHIN: Duration = Duration::from_millis(100);

const PASSWORD: &str = "it watches";

/// What a user needs who watches: nothing but to log in.
const CREATE: &str = "create role pgseal_monitor login password 'it watches'";

/// The user's password, and the lines of a server's configuration that name both.
struct Watcher {
    dir: TestDir,
    lines: Vec<String>,
}

impl Watcher {
    fn new() -> Self {
        let dir = TestDir::new("watcher");
        let file = dir.write_private("password", PASSWORD);
        let lines = vec![
            "database.monitor.user = 'pgseal_monitor'".to_owned(),
            format!("database.monitor.password_file = '{}'", file.display()),
        ];
        Self { dir, lines }
    }

    fn set_password(&self, password: &str) {
        self.dir.write_private("password", password);
    }

    /// A server that watches the database at this address.
    fn server(&self, keys: &Keys, database: &str, more: &[&str]) -> Server {
        let mut lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        lines.extend(more);
        let identity = keys.server_identity("watching");
        Server::start("server", &identity, keys, database, &lines)
    }
}

/// The user logs in by SCRAM.
fn scram() -> Settings {
    Settings::new().access("host all pgseal_monitor 127.0.0.1/32 scram-sha-256")
}

/// What is told of this server.
fn watch(keys: &Keys, server: &Server) -> Watch {
    Watch::start(&keys.client_identity("app"), server.port())
}

fn keys() -> Keys {
    let keys = Keys::new();
    keys.add_client("app");
    keys
}

fn has_role(role: &str) -> impl Fn(&Value) -> bool {
    move |standing| standing["database"]["role"] == role
}

fn is_gone(standing: &Value) -> bool {
    standing["database"].is_null() && standing["availability"] == "refusing"
}

/// A database and a server that watches it.
struct Stand {
    server: Server,
    database: Cluster,
    watcher: Watcher,
    keys: Keys,
}

impl Stand {
    fn start() -> Self {
        Self::with(&scram(), &[])
    }

    fn with(settings: &Settings, lines: &[&str]) -> Self {
        let (keys, watcher) = (keys(), Watcher::new());
        let database = settings.start_cluster();
        database.query(CREATE);
        let address = database.address().to_string();
        Self {
            server: watcher.server(&keys, &address, lines),
            database,
            watcher,
            keys,
        }
    }

    fn watch(&self) -> Watch {
        watch(&self.keys, &self.server)
    }

    /// Whether the database answers (1) or not (0), as a metric.
    fn answers(&self) -> u64 {
        let address = self.database.address();
        let answers = format!("database_answers{{database=\"{address}\"}}");
        self.server.counted(&answers)
    }

    /// Lines of the server's log of what it heard of its database.
    fn said(&self) -> Vec<String> {
        let log = self.server.process().log();
        let lines = log.lines().filter(|line| line.contains("the database "));
        lines.map(str::to_owned).collect()
    }
}

/// Where a database is in its log, in bytes.
fn position(database: &Cluster, of: &str) -> u64 {
    let position = database.value(&format!("select {of}() - '0/0'"));
    position.parse().unwrap()
}

#[test]
fn role_timeline_and_position_are_told_of_a_primary_and_its_replica() {
    are_told(&scram());
}

#[test]
fn role_timeline_and_position_are_told_of_postgresql_18_too() {
    are_told(&scram().release(Release::Eighteen));
}

#[track_caller]
fn are_told(settings: &Settings) {
    let (pair, keys, watcher) = (settings.start_pair(), keys(), Watcher::new());
    pair.primary.query(CREATE);
    pair.wait_for_replay();
    let Pair { primary, replica } = &pair;
    let servers = [primary, replica]
        .map(|database| watcher.server(&keys, &database.address().to_string(), &[]));
    let [mut of_primary, mut of_replica] = servers.each_ref().map(|one| watch(&keys, one));

    for written in ["create table t (x int)", "insert into t values (1)"] {
        primary.query(written);
        pair.wait_for_replay();
        let position = position(primary, "pg_current_wal_lsn");
        let (standing, _) = of_primary.until("the primary", |standing| {
            standing["database"]["position"].as_u64() >= Some(position)
        });
        assert_eq!(standing["availability"], "accepting");
        assert_eq!(standing["database"]["role"], "primary");
        assert_eq!(standing["database"]["timeline"], 1);
        assert!(standing["database"].get("delay_ms").is_none(), "{standing}");
        let (standing, _) = of_replica.until("the replica", |standing| {
            standing["database"]["position"].as_u64() >= Some(position)
        });
        assert_eq!(standing["availability"], "accepting");
        assert_eq!(standing["database"]["role"], "replica");
        assert_eq!(standing["database"]["timeline"], 1);
    }

    // What is received and not replayed is late, by the age of what is replayed.
    replica.query("select pg_wal_replay_pause()");
    until("the replay to pause", || {
        let state = replica.value("select pg_get_wal_replay_pause_state()");
        (state == "paused").then_some(())
    });
    let before = position(replica, "pg_last_wal_replay_lsn");
    primary.query("insert into t values (2)");
    let (standing, _) = of_replica.until("the delay", |standing| {
        standing["database"]["delay_ms"].as_u64() > Some(0)
    });
    assert_eq!(standing["database"]["position"], before);
    replica.query("select pg_wal_replay_resume()");
    of_replica.until("the end of the delay", |standing| {
        standing["database"]["delay_ms"] == 0
    });

    let status = servers[1].control(
        &keys.client_identity("app"),
        &harness::http::Request::get("/v1/status"),
    );
    assert_eq!(status.json()["standing"]["database"]["role"], "replica");
    for (server, (database, is_primary)) in servers.iter().zip([(primary, 1), (replica, 0)]) {
        let address = database.address().to_string();
        let counted = |name| server.counted(&format!("database_{name}{{database=\"{address}\"}}"));
        assert_eq!(counted("answers"), 1);
        assert_eq!(counted("primary"), is_primary);
        assert_eq!(counted("timeline"), 1);
        assert!(counted("position_bytes") > before);
    }
}

#[test]
fn what_changes_all_the_time_is_told_ten_times_a_second_at_most() {
    let stand = Stand::with(&scram(), &["monitor_interval = '10ms'"]);
    stand.database.query("create table t (x int)");
    let began = Instant::now();
    let mut news = stand.watch();
    let mut told = 0;
    let mut position = 0;
    while told < 20 {
        stand.database.query("insert into t values (1)");
        news.until("another position", |standing| {
            let now = standing["database"]["position"]
                .as_u64()
                .unwrap_or_default();
            std::mem::replace(&mut position, now) != now
        });
        told += 1;
    }
    let most = 2 + began.elapsed().as_millis() / INTERVAL.as_millis();
    assert!(told <= most, "{told} times in {:?}", began.elapsed());
}

#[test]
fn a_server_whose_store_is_away_for_too_long_is_told_to_refuse() {
    let stand = Stand::with(&scram(), &["max_stale = '5s'"]);
    let mut news = stand.watch();
    news.until("the database", |standing| {
        standing["availability"] == "accepting"
    });
    let store = stand.keys.store();
    let away = store.with_extension("away");
    std::fs::rename(&store, &away).unwrap();
    let (standing, _) = news.until("the refusal", |standing| {
        standing["availability"] == "refusing"
    });
    assert_eq!(standing["database"]["role"], "primary");
    std::fs::rename(&away, &store).unwrap();
    news.until("the return", |standing| {
        standing["availability"] == "accepting"
    });
}

#[test]
fn a_database_that_starts_after_its_server_is_watched_from_then_on() {
    let mut stand = Stand::start();
    stand.database.stop();
    stand.server.restart();
    let mut news = stand.watch();
    news.until("no database", is_gone);
    let server = stand.server.process();
    let line = server.wait_for_line("Connection refused");
    assert!(
        line.contains("ERROR the database does not answer the monitor"),
        "{line}"
    );
    stand.database.start_again();
    news.until("the database", has_role("primary"));
}

#[test]
fn sessions_and_draining_are_told() {
    let stand = Stand::start();
    let mut news = stand.watch();
    let (standing, _) = news.until("the database", has_role("primary"));
    assert_eq!(standing["sessions"], 0);
    let connector = harness::Connector::start(
        "connector",
        &stand.keys.client_identity("app"),
        stand.server.port(),
        &[],
    );
    let mut session = connector.address().raw();
    session.start();
    news.until("the session", |standing| standing["sessions"] == 1);
    let asked = Instant::now();
    stand.server.process().signal(harness::Signal::TERM);
    let (standing, told) = news.until("draining", |standing| {
        standing["availability"] == "draining"
    });
    assert!(told - asked < TOLD_WITHIN, "told after {:?}", told - asked);
    assert_eq!(standing["database"]["role"], "primary");
    session.send(message::terminate());
    drop(session);
    stand.server.process().wait();
}

#[test]
fn a_database_that_is_not_watched_is_no_reason_to_refuse() {
    let (keys, database) = (keys(), Cluster::start());
    let identity = keys.server_identity("primary");
    let address = database.address().to_string();
    let server = Server::start("server", &identity, &keys, &address, &[]);
    let mut news = watch(&keys, &server);
    let (standing, _) = news.until("the standing", |_| true);
    assert_eq!(standing["availability"], "accepting");
    assert!(standing["database"].is_null(), "{standing}");
    assert!(!server.ops("/metrics").text().contains("database_answers"));
    let sessions = "select count(*) from pg_stat_activity where application_name like 'pgseal%'";
    assert_eq!(database.value(sessions), "0");
}

#[test]
fn a_replica_that_is_cut_off_from_its_primary_gets_later_although_it_has_replayed_all_it_has() {
    let (pair, keys, watcher) = (scram().start_pair(), keys(), Watcher::new());
    pair.primary.query(CREATE);
    pair.wait_for_replay();
    let server = watcher.server(&keys, &pair.replica.address().to_string(), &[]);
    let mut news = watch(&keys, &server);
    let delay = |standing: &Value| standing["database"]["delay_ms"].as_u64();
    news.until("it to be up to date", |it| delay(it) == Some(0));
    let reload = "select pg_reload_conf()";
    pair.replica
        .query("alter system set primary_conninfo = 'host=/nowhere'");
    let cut = Instant::now();
    pair.replica.query(reload);
    let (standing, _) = news.until("it to be late", |it| delay(it) > Some(1000));
    let late = u128::from(delay(&standing).unwrap());
    assert!(
        late <= cut.elapsed().as_millis() + INTERVAL.as_millis(),
        "{late} ms"
    );
    pair.replica.query("alter system reset primary_conninfo");
    pair.replica.query(reload);
    news.until("it to be up to date", |it| delay(it) == Some(0));
}
