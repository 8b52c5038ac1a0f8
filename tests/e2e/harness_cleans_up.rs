//! The harness leaves nothing behind: after a test, after a test that panicked, and after the test
//! program was killed.

use std::env;
use std::io::{BufRead, BufReader};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use harness::{Cluster, Pair, Program, TestDir, psql, until};

fn runs(pid: u32) -> bool {
    // A zombie has ended, even where nobody waits for it.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn facts(cluster: &Cluster) -> (u32, PathBuf) {
    (cluster.process().pid(), cluster.socket_dir().to_owned())
}

#[test]
fn a_cluster_is_gone_after_drop() {
    let cluster = Cluster::start();
    let (pid, dir) = facts(&cluster);
    assert!(runs(pid) && dir.is_dir());
    drop(cluster);
    assert!(!runs(pid) && !dir.exists());
}

#[test]
fn a_pair_is_gone_after_a_panic() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let panic = catch_unwind(move || {
        let pair = Pair::start();
        sender
            .send((facts(&pair.primary), facts(&pair.replica)))
            .unwrap();
        panic!("a test that fails");
    });
    assert!(panic.is_err());
    let (primary, replica) = receiver.recv().unwrap();
    for (pid, dir) in [primary, replica] {
        assert!(!runs(pid) && !dir.exists());
    }
}

#[test]
fn what_a_program_started_is_gone_with_it() {
    let dir = TestDir::new("program");
    let script = "sleep 60 & echo child $!; wait";
    let process = Program::at("/bin/sh").args(["-c", script]).start(&dir);
    let line = process.wait_for_line("child");
    let child = line.strip_prefix("child ").unwrap().parse().unwrap();
    assert!(runs(child));
    drop(process);
    until("the child to end", || (!runs(child)).then_some(()));
}

#[test]
#[should_panic(expected = "sh panicked")]
fn a_program_that_panicked_fails_the_test() {
    let dir = TestDir::new("program");
    let script = "echo \"thread 'main' panicked at src/main.rs:1:1\"; exec sleep 60";
    let process = Program::at("/bin/sh").args(["-c", script]).start(&dir);
    process.wait_for_line("panicked");
}

/// Not a test: what [`nothing_is_left_when_the_test_program_is_killed`] runs and kills.
#[test]
#[ignore = "it waits to be killed"]
fn hold_a_pair_and_a_program() {
    let pair = Pair::start();
    let dir = TestDir::new("program");
    let program = Program::at("/bin/sleep").arg("600").start(&dir);
    for cluster in [&pair.primary, &pair.replica] {
        let (pid, dir) = facts(cluster);
        println!("held {pid} {}", dir.display());
    }
    println!("held {} {}", program.pid(), dir.path().display());
    println!("held all");
    thread::sleep(Duration::from_secs(600));
}

#[test]
fn nothing_is_left_when_the_test_program_is_killed() {
    let mut program = Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "harness_cleans_up::hold_a_pair_and_a_program",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(program.stdout.take().unwrap());
    let held: Vec<(u32, PathBuf)> = output
        .lines()
        .map(Result::unwrap)
        .filter_map(|line| line.strip_prefix("held ").map(str::to_owned))
        .take_while(|fact| fact != "all")
        .map(|fact| {
            let (pid, dir) = fact.split_once(' ').unwrap();
            (pid.parse().unwrap(), dir.into())
        })
        .collect();
    assert_eq!(held.len(), 3);
    assert!(held.iter().all(|(pid, dir)| runs(*pid) && dir.is_dir()));
    program.kill().unwrap();
    program.wait().unwrap();
    for (pid, dir) in held {
        until("the processes to end", || (!runs(pid)).then_some(()));
        let run_directory: &Path = dir.parent().unwrap();
        until("the run directory to go", || {
            (!run_directory.exists()).then_some(())
        });
    }
}

#[test]
fn a_session_still_open_does_not_keep_a_cluster() {
    let cluster = Cluster::start();
    let conninfo = cluster.address().conninfo();
    let client = thread::spawn(move || psql(&conninfo, ["-c", "select pg_sleep(600)"]));
    let sleeping = "select count(*) from pg_stat_activity where query like '%sleep(600)%'
                    and pid <> pg_backend_pid()";
    until("the session to begin", || {
        (cluster.value(sleeping) == "1").then_some(())
    });
    drop(cluster);
    assert_ne!(client.join().unwrap().code, Some(0));
}
