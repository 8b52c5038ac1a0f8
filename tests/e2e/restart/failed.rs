//! What cannot take over does not, and the process that is there goes on.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use harness::{Keys, Process, Signal, TestDir, until};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{chain, open, opens, sealed, start};

/// The process that is started next, by what `process` says of it.
#[track_caller]
fn started(process: &Process) -> String {
    let line = process.wait_for_line("another process is started to take over");
    let pid = line.split_once("pid=").unwrap().1;
    format!("/proc/{pid}")
}

#[test]
fn a_wrong_configuration_takes_nothing_over_and_the_log_says_what_is_wrong() {
    let (keys, mut link) = start();
    let query = sealed(&keys);
    let (mut session, _) = open(&link);
    link.server.configure(&["zone_mood = 'on'"]);
    link.connector.configure(&["api_listen = ['0.0.0.0:1']"]);
    for (process, why) in [
        (link.server.process(), "unknown key `zone_mood`"),
        (link.connector.process(), "is no loopback address"),
    ] {
        process.signal(Signal::USR2);
        let line = process.wait_for_line("no other process takes over; this one goes on");
        assert!(line.contains(why), "{line}");
        opens(&mut session, &query);
        opens(&mut open(&link).0, &query);
    }
}

#[test]
fn an_address_that_another_program_has_takes_nothing_over_and_sockets_stay() {
    let (keys, link) = start();
    let port = link.server.port();
    let identity = keys.client_identity("app");
    let mut connector =
        harness::Connector::start_with_sockets("connector-sockets", &identity, port, &[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    // The sockets were passed on by then, and their files are there.
    connector.configure(&[&format!(
        "api_listen = ['{}', '{taken}']",
        connector.api_socket().display()
    )]);
    connector.process().signal(Signal::USR2);
    let line = connector
        .process()
        .wait_for_line("no other process takes over");
    assert!(line.contains(&taken.to_string()), "{line}");
    assert!(connector.socket().exists() && connector.api_socket().exists());
    std::os::unix::net::UnixStream::connect(connector.socket()).unwrap();
}

/// A file that is never read to its end: whoever opens it waits for a writer.
fn bottomless(dir: &TestDir) -> String {
    let path = dir.join("key");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    format!("tls.private_key = '{}'", path.display())
}

#[test]
fn a_process_that_hangs_is_ended_after_its_time_and_a_second_is_not_started_beside_it() {
    let keys = Keys::new();
    keys.add_client("app");
    let mut link = chain().server("restart_timeout = '2s'").start_link(&keys);
    let query = sealed(&keys);
    let (mut session, _) = open(&link);
    let dir = TestDir::new("bottomless");
    link.server.configure(&[&bottomless(&dir)]);
    let process = link.server.process();
    process.signal(Signal::USR2);
    let other = started(process);
    process.signal(Signal::USR2);
    process.wait_for_line("another process is started already");
    opens(&mut open(&link).0, &query);
    let line = process.wait_for_line("no other process takes over; this one goes on");
    assert!(line.contains("restart_timeout"), "{line}");
    assert!(!Path::new(&other).exists(), "it is gone");
    opens(&mut open(&link).0, &query);
    opens(&mut session, &query);
}

#[test]
fn a_program_that_is_to_end_meanwhile_ends_with_the_other_one() {
    let (_keys, mut link) = start();
    let dir = TestDir::new("bottomless");
    link.connector.configure(&[&bottomless(&dir)]);
    let process = link.connector.process();
    process.signal(Signal::USR2);
    let other = started(process);
    assert!(process.terminate().success());
    assert!(!Path::new(&other).exists(), "it is gone");
}

#[test]
fn a_file_that_was_replaced_is_the_program_that_takes_over() {
    let (keys, mut link) = start();
    let query = sealed(&keys);
    let program = link.server.restart_from_copy();
    let replace = |with: &[u8]| {
        let new = program.with_extension("new");
        fs::write(&new, with).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, &program).unwrap();
    };
    let whole = fs::read(&program).unwrap();
    for (broken, why) in [
        (&b"#!/bin/sh\nexit 7\n"[..], "exit status: 7"),
        (b"no program", "os error 8"),
    ] {
        replace(broken);
        link.server.process().signal(Signal::USR2);
        until("the broken one to fail", || {
            link.server.process().log().contains(why).then_some(())
        });
        opens(&mut open(&link).0, &query);
    }
    replace(&whole);
    let before = link.server.hand_over();
    let running = fs::metadata(format!("/proc/{}/exe", link.server.process().pid())).unwrap();
    assert_eq!(running.ino(), fs::metadata(&program).unwrap().ino());
    opens(&mut open(&link).0, &query);
    assert!(before.wait().success());
}
