//! What servers do with all of etcd, with a part of it, and without it.

use std::time::Instant;

use harness::http::Response;
use harness::raw::message;
use harness::until;
use serde_json::Value;

use super::*;

fn status(fleet: &Fleet, server: usize) -> Value {
    let answer = fleet.connectors[server].api(&Request::get("/v1/status"));
    serde_json::from_str(answer.text()).unwrap()
}

/// Waits until the servers have heard of all that has changed: what they read before, they forget.
fn all_heard(fleet: &Fleet) {
    let revision = status(fleet, 0)["store_revision"].as_u64().unwrap();
    for server in &fleet.servers {
        until("a change to be heard of", || {
            (server.counted("store_revision") >= revision).then_some(())
        });
    }
}

#[test]
fn a_zone_made_through_one_server_opens_through_the_other_at_once() {
    let fleet = Fleet::start(&[]);
    let mut sessions = [0, 1].map(|server| fleet.session(server));
    for row in 0..20 {
        let zone = fleet.make_zone(row % 2);
        fleet.store(row, &zone, b"opened");
        let read = read(&mut sessions[1 - row % 2], row);
        assert_eq!(read.as_deref(), Some(b"opened".as_slice()), "row {row}");
    }
}

#[test]
fn losing_any_one_member_is_no_outage() {
    let mut fleet = Fleet::start(&[]);
    let mut sessions = [0, 1].map(|server| fleet.session(server));
    let mut row = 0;
    for member in 0..MEMBERS {
        fleet.etcd.kill(member);
        for server in [0, 1] {
            let begun = Instant::now();
            // The one that is gone may have been the leader. Another one is waited for, and without
            // one etcd takes no writes.
            let zone = until("a zone to be made", || {
                let made = fleet.ask_for_zone(server);
                (made.status == 201).then(|| made.recipient())
            });
            assert!(begun.elapsed() < 2 * ETCD_CALL, "{:?}", begun.elapsed());
            fleet.store(row, &zone, b"opened");
            let read = read(&mut sessions[1 - server], row);
            assert_eq!(read.as_deref(), Some(b"opened".as_slice()), "row {row}");
            row += 1;
        }
        assert_eq!(fleet.servers[0].ops("/health").status, 200);
        fleet.etcd.restart(member);
        fleet.etcd.wait_for_health();
    }
}

#[test]
fn without_etcd_servers_go_on_for_max_stale_then_open_nothing_and_catch_up_by_themselves() {
    let mut fleet = Fleet::start(&["max_stale = '6s'"]);
    let mut sessions = [0, 1].map(|server| fleet.session(server));
    let (known, unread) = (fleet.make_zone(0), fleet.make_zone(0));
    fleet.store(1, &known, b"known");
    fleet.store(2, &unread, b"unread");
    all_heard(&fleet);
    for server in [0, 1] {
        let read = read(&mut sessions[server], 1);
        assert_eq!(read.as_deref(), Some(b"known".as_slice()));
    }

    let lost = Instant::now();
    (0..MEMBERS).for_each(|member| fleet.etcd.kill(member));
    let refused = |answer: Response| {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.text().contains("the store of keys does not answer"));
    };
    for server in [0, 1] {
        let begun = Instant::now();
        refused(fleet.ask_for_zone(server));
        assert!(begun.elapsed() < ETCD_CALL);
        // What is in memory opens, in running sessions and new ones; what is not does not.
        let read_known = read(&mut sessions[server], 1);
        assert_eq!(read_known.as_deref(), Some(b"known".as_slice()));
        let mut new = fleet.session(server);
        assert_eq!(read(&mut new, 1).as_deref(), Some(b"known".as_slice()));
        assert_eq!(read(&mut new, 2), None);
        assert_eq!(fleet.servers[server].ops("/health").status, 200);
    }
    assert!(lost.elapsed().as_secs() < 6, "{:?}", lost.elapsed());
    until("the age to be told", || {
        (status(&fleet, 1)["store"]["age_seconds"].as_u64()? >= 4).then_some(())
    });
    let metrics = fleet.servers[1].ops("/metrics");
    assert!(
        !metrics
            .text()
            .contains("pgseal_server_store_age_seconds 0.0\n")
    );
    // Asked for after a while, it is refused at once.
    let begun = Instant::now();
    refused(fleet.ask_for_zone(1));
    assert!(begun.elapsed().as_secs() < 1, "{:?}", begun.elapsed());

    for server in [0, 1] {
        until("nothing to open any more", || {
            read(&mut sessions[server], 1).is_none().then_some(())
        });
        // It last answered a fifth of a second before the loss, at the earliest.
        assert!(lost.elapsed() > Duration::from_millis(5500));
        let mut new = fleet.connectors[server].address().raw();
        let parameters = [("user", "postgres"), ("database", "postgres")];
        new.send(message::startup(&parameters));
        let first = new.read().unwrap();
        assert_eq!(first.tag, b'E', "{first:?}");
        assert_eq!(fleet.servers[server].ops("/health").status, 503);
    }

    (0..MEMBERS).for_each(|member| fleet.etcd.restart(member));
    for server in [0, 1] {
        until("the values to open again", || {
            let known = read(&mut sessions[server], 1)?;
            let unread = read(&mut sessions[server], 2)?;
            Some((known, unread))
        });
        assert_eq!(fleet.servers[server].ops("/health").status, 200);
        let zone = fleet.make_zone(server);
        fleet.store(10 + server, &zone, b"after");
        let read_after = read(&mut fleet.session(1 - server), 10 + server);
        assert_eq!(read_after.as_deref(), Some(b"after".as_slice()));
        assert!(
            status(&fleet, server)["store"]["age_seconds"]
                .as_u64()
                .unwrap()
                < 3
        );
    }
}

#[test]
fn with_etcd_behind_cut_cables_writes_are_refused_in_time_and_sessions_go_on() {
    let fleet = Fleet::start(&[]);
    let mut session = fleet.session(0);
    let zone = fleet.make_zone(0);
    fleet.store(1, &zone, b"known");
    all_heard(&fleet);
    assert_eq!(read(&mut session, 1).as_deref(), Some(b"known".as_slice()));
    fleet.members.iter().for_each(Namespace::unplug);
    // A check does not wait for it either: a balancer would take all servers out.
    let begun = Instant::now();
    assert_eq!(fleet.servers[0].ops("/health").status, 200);
    assert!(begun.elapsed().as_millis() < 500, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(fleet.ask_for_zone(0).status, 503);
    assert!(begun.elapsed() < 2 * ETCD_CALL, "{:?}", begun.elapsed());
    until("a refusal at once", || {
        let begun = Instant::now();
        assert_eq!(fleet.ask_for_zone(0).status, 503);
        (begun.elapsed().as_millis() < 500).then_some(())
    });
    assert_eq!(read(&mut session, 1).as_deref(), Some(b"known".as_slice()));
    fleet.members.iter().for_each(Namespace::plug);
    until("zones to be made again", || {
        (fleet.ask_for_zone(0).status == 201).then_some(())
    });
}
