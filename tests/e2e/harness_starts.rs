//! The harness starts what it says: databases, programs, ports.

use std::collections::HashSet;
use std::thread;

use harness::{
    Address, Auth, Cluster, Pair, Program, Settings, Signal, TestDir, free_port, psql, until,
};

#[tokio::test]
async fn what_is_written_to_the_primary_is_read_from_the_replica() {
    let pair = Pair::start();
    let primary = pair.primary.connect().await;
    primary
        .batch_execute("create table t (x int); insert into t values (42)")
        .await
        .unwrap();
    pair.wait_for_replay();
    let replica = pair.replica.connect().await;
    let row = replica
        .query_one("select x, pg_is_in_recovery() from t", &[])
        .await
        .unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (42, true));
    let error = replica
        .batch_execute("insert into t values (43)")
        .await
        .unwrap_err();
    assert_eq!(error.code().unwrap().code(), "25006");
}

#[tokio::test]
async fn every_way_to_authenticate_lets_the_right_password_in_and_no_other() {
    let cluster = Settings::new()
        .user("trusted", "", Auth::Trust)
        .user("clear", "one's own", Auth::Password)
        .user("hashed", "two", Auth::Md5)
        .user("scram", "three", Auth::ScramSha256)
        .start_cluster();
    let address = cluster.address();
    address.connect_with("user=trusted").await;
    for (user, password) in [
        ("clear", r"'one\'s own'"),
        ("hashed", "two"),
        ("scram", "three"),
    ] {
        let client = address
            .connect_with(&format!("user={user} password={password}"))
            .await;
        let row = client
            .query_one("select current_user::text", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), user);
        let wrong = address
            .try_connect_with(&format!("user={user} password=wrong"))
            .await;
        assert_eq!(wrong.unwrap_err().code().unwrap().code(), "28P01", "{user}");
    }
}

#[tokio::test]
async fn lines_of_access_come_before_all_others() {
    let cluster = Settings::new()
        .access("host ledger all 127.0.0.1/32 reject")
        .start_cluster();
    cluster.query("create database ledger");
    let refused = cluster.address().try_connect_with("dbname=ledger").await;
    assert_eq!(refused.unwrap_err().code().unwrap().code(), "28000");
}

#[test]
fn a_cluster_with_tls_takes_psql_over_tls() {
    let cluster = Settings::new()
        .tls()
        .line("log_connections = on")
        .start_cluster();
    let conninfo = format!("{} sslmode=require", cluster.address().conninfo());
    let query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(psql(&conninfo, ["-Atc", query]).success(), "t\n");
    assert!(cluster.log().contains("SSL enabled"));
}

#[tokio::test]
async fn a_stopped_cluster_ends_its_sessions_and_starts_again_with_its_data() {
    let mut cluster = Cluster::start();
    let session = cluster.connect().await;
    session
        .batch_execute("create table kept (x int)")
        .await
        .unwrap();
    let mut raw = cluster.address().raw();
    raw.start();
    cluster.stop();
    assert_eq!(raw.read_until_closed().first().unwrap().sqlstate(), "57P01");
    cluster.start_again();
    assert_eq!(cluster.value("select count(*) from kept"), "0");
    cluster.kill();
    cluster.start_again();
    assert_eq!(cluster.value("select count(*) from kept"), "0");
}

#[test]
fn dump_and_wal_hold_what_was_written() {
    let pair = Pair::start();
    pair.primary
        .query("create table t (x text); insert into t values ('canary in clear')");
    pair.wait_for_replay();
    for cluster in [&pair.primary, &pair.replica] {
        for bytes in [cluster.dump(), cluster.wal()] {
            assert_eq!(harness::scan(&bytes, &["canary in clear"]).len(), 1);
            assert_eq!(harness::scan(&bytes, &["canary elsewhere"]), []);
        }
    }
}

#[test]
fn ports_of_all_threads_are_distinct_and_below_those_of_outgoing_connections() {
    let threads: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| (0..100).map(|_| free_port()).collect::<Vec<_>>()))
        .collect();
    let ports: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    let numbers: HashSet<u16> = ports.iter().map(harness::Port::number).collect();
    assert_eq!(numbers.len(), 400);
    assert!(
        numbers
            .iter()
            .all(|number| (20_000..32_000).contains(number))
    );
}

#[test]
fn a_program_is_waited_for_by_its_log_and_by_its_port() {
    let dir = TestDir::new("program");
    let shell = Program::at("/bin/sh").args(["-c", "echo ready on stderr >&2; exec sleep 60"]);
    let process = shell.start(&dir);
    assert_eq!(process.wait_for_line("ready"), "ready on stderr");
    assert!(process.resident_memory() > 0 && process.peak_memory() > 0);
    assert_eq!(process.ended(), None);

    let cluster = Cluster::start();
    cluster.process().wait_for_port(cluster.address().port());
}

#[test]
#[should_panic(expected = "sh ended too early: exit status: 3")]
fn waiting_for_a_program_that_ended_fails_at_once() {
    let dir = TestDir::new("program");
    Program::at("/bin/sh")
        .args(["-c", "exit 3"])
        .start(&dir)
        .wait_for_line("ready");
}

#[test]
fn signals_reach_a_program() {
    let dir = TestDir::new("program");
    let script =
        "trap 'echo hangup' HUP; trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let process = Program::at("/bin/sh").args(["-c", script]).start(&dir);
    process.wait_for_line("ready");
    process.signal(Signal::HUP);
    process.wait_for_line("hangup");
    process.signal(Signal::STOP);
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
    until("the program to stop", || {
        state().contains(") T ").then_some(())
    });
    process.signal(Signal::CONT);
    assert_eq!(process.terminate().code(), Some(7));
}

#[test]
fn a_program_that_is_run_gives_code_and_output() {
    let script = "cat; echo \"$1 $OWN ${PGSEAL_NOT_HANDED_DOWN-unset}\" >&2; exit 4";
    let finished = Program::at("/bin/sh")
        .args(["-c", script, "sh", "one"])
        .env("OWN", "two")
        .input("typed")
        .run();
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(4), "typed")
    );
    assert_eq!(finished.stderr, "one two unset\n");
}

#[test]
#[should_panic(expected = "cargo build --workspace")]
fn a_program_that_is_not_built_is_reported_with_what_to_do() {
    let _ = Program::named("pgseal-nothing");
}

#[tokio::test]
async fn nobody_listening_is_an_error_and_not_a_wait() {
    let port = free_port();
    let error = Address::local(port.number())
        .try_connect_with("")
        .await
        .unwrap_err();
    assert!(error.code().is_none());
}
