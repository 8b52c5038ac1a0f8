//! Tunnels that are open before a session wants one.

use harness::raw::{message, tags};
use harness::{Chain, Connector, Keys, Tap, until};

/// So many tunnels wait.
#[track_caller]
fn are_warm(connector: &Connector, count: u64) {
    until("tunnels to wait", || {
        (connector.counted("warm_tunnels") == count).then_some(())
    });
}

#[test]
fn a_session_begins_on_a_tunnel_that_is_open_already() {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder()
        .connector("warm_tunnels = 3")
        .start_link(&keys);
    are_warm(&link.connector, 3);
    let begun = link.connector.counted("sessions_on_warm_tunnels_total");
    for number in 1..=8 {
        let mut session = link.address().raw();
        session.start();
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
        assert_eq!(
            link.connector.counted("sessions_on_warm_tunnels_total"),
            begun + number
        );
        session.send(message::terminate());
        are_warm(&link.connector, 3);
    }
    // To the server they are no sessions, and none of its business in the log.
    assert!(!link.server.process().log().contains("turned away"));
}

#[test]
fn a_tunnel_that_was_lost_meanwhile_costs_a_session_nothing() {
    let keys = Keys::new();
    keys.add_client("app");
    let mut link = Chain::builder()
        .connector("warm_tunnels = 2")
        .start_link(&keys);
    are_warm(&link.connector, 2);
    for _ in 0..5 {
        link.server.restart();
        let mut session = link.address().raw();
        session.start();
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
    }
}

#[test]
fn a_tunnel_that_breaks_under_its_first_session_costs_it_nothing() {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder().start_link(&keys);
    let tap = Tap::to(link.server.port());
    let identity = keys.client_identity("app");
    let connector = Connector::start("kept", &identity, tap.port(), &["warm_tunnels = 1"]);
    are_warm(&connector, 1);
    tap.stall();
    let mut session = connector.address().raw();
    session.send(message::startup(&[("user", "postgres")]));
    until("the session to take the tunnel", || {
        (connector.counted("sessions_on_warm_tunnels_total") == 1).then_some(())
    });
    tap.cut();
    tap.flow();
    let greeting = session.read_until_ready();
    assert_eq!(greeting.last().map(|it| it.tag), Some(b'Z'));
    assert_eq!(connector.counted("tunnels_lost_total"), 0);
}
