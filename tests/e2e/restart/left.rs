//! What a process that was taken over from leaves behind, and when it ends.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use harness::http::Request;
use harness::raw::{Ended, message};
use harness::{Connector, Several, Webconfig, until};

use super::{answer, open, opens, sealed, start};

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn unix_sockets_stay_through_restarts_and_go_with_the_last() {
    let (keys, link) = start();
    let identity = keys.client_identity("app");
    let port = link.server.port();
    let mut connector = Connector::start_with_sockets("connector-sockets", &identity, port, &[]);
    let sockets = [connector.socket(), connector.api_socket()];
    let inodes = sockets.clone().map(|path| inode(&path));
    let directory = connector.socket_dir().display();
    let conninfo = format!("host={directory} port=5432 user=postgres dbname=postgres");
    for _ in 0..2 {
        let before = connector.hand_over();
        assert!(before.wait().success());
        assert_eq!(sockets.clone().map(|path| inode(&path)), inodes);
        assert_eq!(answer(&conninfo), "42\n");
    }
    // One that the new configuration does not name goes once that holds.
    let [_, api] = &sockets;
    connector.configure(&[&format!(
        "api_listen = '127.0.0.1:{}'",
        connector.api_port()
    )]);
    assert!(connector.hand_over().wait().success());
    assert!(!api.exists());
    assert_eq!(answer(&conninfo), "42\n");
    connector.process().terminate();
    until("the socket to go", || (!sockets[0].exists()).then_some(()));
}

#[test]
fn sessions_of_a_process_that_was_taken_over_from_end_at_its_deadline() {
    let (keys, mut link) = start();
    let query = sealed(&keys);
    link.server.apply(&["drain_timeout = '1s'"]);
    let (mut session, _) = open(&link);
    let before = link.server.hand_over();
    let last = session.read_until_closed();
    assert_eq!(last[0].sqlstate(), "57P01");
    assert!(before.wait().success());
    opens(&mut open(&link).0, &query);
}

#[test]
fn no_file_stays_open_that_a_fresh_process_does_not_have() {
    let (_keys, mut link) = start();
    link.connector
        .process()
        .wait_for_line("the server tells which certificates are revoked");
    let fresh = [link.server.process(), link.connector.process()];
    let fresh = fresh.map(|process| {
        let (mut count, mut same) = (process.open_files(), 0);
        until("a number of files that stays", || {
            let now = process.open_files();
            same = if now == count { same + 1 } else { 0 };
            count = now;
            (same > 100).then_some(count)
        })
    });
    for _ in 0..3 {
        assert!(link.server.hand_over().wait().success());
        assert!(link.connector.hand_over().wait().success());
    }
    for (process, fresh) in [link.server.process(), link.connector.process()]
        .into_iter()
        .zip(fresh)
    {
        until("as many files as a fresh process has", || {
            (process.open_files() == fresh).then_some(())
        });
    }
}

#[test]
fn a_successor_is_hardened_as_its_predecessor_was() {
    let (_keys, mut link) = start();
    let said = |pid: u32| {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let limits = limits.lines().filter(|it| it.starts_with("Max core file"));
        let limits = limits.map(str::to_owned).collect::<Vec<_>>();
        // What of a process may be read belongs to root where it may not be dumped.
        (
            limits,
            fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid(),
        )
    };
    let before = said(link.server.process().pid());
    link.server.hand_over().wait();
    let pid = link.server.process().pid();
    assert_eq!(said(pid), before);
    // Standard input is nobody's but its own.
    let input = fs::read_link(format!("/proc/{pid}/fd/0")).unwrap();
    assert_eq!(input, Path::new("/dev/null"));
}

#[test]
fn http_connections_that_are_kept_end_and_their_next_requests_find_the_successor() {
    let (_keys, mut link) = start();
    let mut kept = TcpStream::connect(("127.0.0.1", link.server.ops_port())).unwrap();
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut first = [0; 15];
    kept.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let before = link.server.hand_over();
    let mut rest = Vec::new();
    kept.read_to_end(&mut rest).unwrap();
    assert!(before.wait().success());
    assert_eq!(link.server.ops("/health").status, 200);
    assert_eq!(link.connector.api(&Request::get("/health")).status, 200);
}

#[test]
fn the_web_page_is_served_by_its_successor_which_knows_nobody() {
    let (keys, link) = start();
    let identity = keys.admin_identity("page");
    let mut page = Webconfig::start(&identity, &[link.server.port()], &[]);
    let user = page.user("anna", "operator");
    assert_eq!(user.get("/").status, 200);
    assert!(page.hand_over().wait().success());
    assert_eq!(user.get("/").status, 303, "to sign in");
    let password = "the password of anna";
    let user = page.browser(&page.sign_in("anna", password));
    assert_eq!(user.get("/").status, 200);
}

#[test]
fn of_several_servers_one_that_restarts_keeps_its_sessions_and_gets_new_ones() {
    let mut several = Several::start(2, &[], &[]);
    let mut sessions: Vec<_> = (0..20)
        .map(|_| {
            let mut session = several.connector.address().raw();
            session.start();
            session
        })
        .collect();
    let before: Vec<_> = several
        .servers
        .iter_mut()
        .map(|it| it.hand_over())
        .collect();
    for session in &mut sessions {
        session.query("select 1");
    }
    for _ in 0..20 {
        let mut session = several.connector.address().raw();
        session.start();
        session.send(message::terminate());
        assert_eq!(session.read(), Err(Ended::Closed));
    }
    let log = several.connector.process().log();
    assert!(!log.contains("ended early"), "{log}");
    drop(sessions);
    for process in &before {
        assert!(process.wait().success());
    }
}
