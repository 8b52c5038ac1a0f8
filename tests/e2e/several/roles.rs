//! A primary and its replica, each behind a server: sessions go where their listener's target is, and
//! follow a promotion.

mod deadlines;

use std::thread;

use harness::raw::{Session, message, rows, tags};
use harness::{Nodes, until};

/// What stands behind the connector's addresses in these tests.
const NEEDS: [&str; 3] = ["target=primary", "target=replica", "target=any"];
const PRIMARY: usize = 0;
const REPLICA: usize = 1;
const ANY: usize = 2;

/// Waits until the connector knows what both databases are.
#[track_caller]
fn known(nodes: &Nodes) {
    for listener in [PRIMARY, REPLICA] {
        is_reached(nodes, listener, listener == REPLICA);
    }
}

/// Waits until sessions of this listener get a replica, or a primary.
#[track_caller]
fn is_reached(nodes: &Nodes, listener: usize, replica: bool) {
    until("the connector to know what its databases are", || {
        let mut session = nodes.address_of(listener).raw();
        session.send(message::startup(&[("user", "postgres")]));
        loop {
            match session.read().unwrap().tag {
                b'Z' => break,
                b'E' => return None,
                _ => {}
            }
        }
        (is_replica(&mut session) == replica).then_some(())
    });
}

#[track_caller]
fn is_replica(session: &mut Session) -> bool {
    let answer = session.query("select pg_is_in_recovery()");
    rows(&answer)[0][0].as_deref() == Some(b"t")
}

/// The code with which a session ends by itself.
#[track_caller]
fn ends(mut session: Session) -> String {
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E", "{heard:?}");
    heard[0].sqlstate()
}

fn promote(nodes: &Nodes) {
    nodes.pair.replica.query("select pg_promote(false)");
}

#[test]
fn sessions_get_the_database_that_their_listener_is_for() {
    let nodes = Nodes::start(&NEEDS, &[]);
    known(&nodes);
    for _ in 0..5 {
        assert!(!is_replica(&mut nodes.session(PRIMARY)));
        assert!(is_replica(&mut nodes.session(REPLICA)));
    }
    let anywhere = [(); 4].map(|()| is_replica(&mut nodes.session(ANY)));
    assert_eq!(anywhere.iter().filter(|replica| **replica).count(), 2);
}

#[test]
fn when_a_second_primary_appears_the_newer_one_is_believed_and_the_older_loses_its_sessions() {
    let nodes = Nodes::start(&NEEDS, &[]);
    known(&nodes);
    let (writer, reader) = (nodes.session(PRIMARY), nodes.session(REPLICA));
    // The old primary runs on, and says so.
    promote(&nodes);
    assert_eq!(ends(writer), "57P01");
    assert_eq!(ends(reader), "57P01");
    let old = format!("127.0.0.1:{}", nodes.servers[0].port());
    let new = format!("127.0.0.1:{}", nodes.servers[1].port());
    let on_new = "select pg_is_in_recovery(), timeline_id from pg_control_checkpoint()";
    for listener in [PRIMARY, ANY, PRIMARY, ANY] {
        let answer = nodes.session(listener).query(on_new);
        assert_eq!(rows(&answer)[0][0].as_deref(), Some(b"f".as_slice()));
        let listed = nodes.servers[1].counted("sessions_started_total");
        assert!(listed > 0);
    }
    let line = nodes
        .connector
        .process()
        .wait_for_line("claims to be primary");
    assert!(line.contains("ERROR"), "{line}");
    assert!(
        line.contains(&format!("{old} claims to be primary on timeline 1")),
        "{line}"
    );
    assert!(line.contains(&format!("{new} is on 2")), "{line}");
    let log = nodes.connector.process().log();
    assert_eq!(log.matches("claims to be primary").count(), 1, "{log}");
    let metric = |address: &str| format!("server_distrusted{{server=\"{address}\"}}");
    assert_eq!(nodes.connector.counted(&metric(&old)), 1);
    assert_eq!(nodes.connector.counted(&metric(&new)), 0);
    // It is gone, and no listener is worse off for it.
    nodes.servers[0].process().kill();
    assert!(!is_replica(&mut nodes.session(PRIMARY)));
}

#[test]
fn sessions_that_come_while_there_is_no_primary_get_the_next_one() {
    let mut nodes = Nodes::start(&NEEDS, &["balance.wait_for_primary = '30s'"]);
    known(&nodes);
    let writer = nodes.session(PRIMARY);
    nodes.pair.primary.kill();
    drop(writer);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| is_replica(&mut nodes.session(PRIMARY))))
            .collect();
        until("the sessions to wait", || {
            (nodes.connector.counted("sessions") == 5).then_some(())
        });
        promote(&nodes);
        for session in waiting {
            assert!(!session.join().unwrap());
        }
    });
}

#[test]
fn sessions_stay_where_their_database_has_become_another_if_that_is_wanted() {
    let nodes = Nodes::start(&["target=replica on_role_change=keep"], &[]);
    is_reached(&nodes, 0, true);
    let mut reader = nodes.session(0);
    promote(&nodes);
    nodes
        .connector
        .process()
        .wait_for_line("and is primary on timeline 2");
    assert!(!is_replica(&mut reader));
}
