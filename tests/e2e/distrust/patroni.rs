//! Patroni that is paused, and what its nodes agree by, without an answer.

use harness::{Agreement, Etcd, MEMBERS, Patroni, ZooKeeper};

use super::*;
use crate::fleet::{copy_and_freeze, lines_for};

/// A server between the two nodes, with a connector.
struct Stand {
    connector: Connector,
    server: Server,
    patroni: Patroni,
    _keys: Keys,
}

impl Stand {
    /// `store` says what the server's configuration has of its store.
    fn start(agreement: Agreement, store: impl Fn(&Agreement, &Keys) -> Vec<String>) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let patroni = Patroni::start_by(agreement, 2);
        let list =
            [0, 1].map(|node| format!("{} patroni={}", patroni.database(node), patroni.url(node)));
        let mut lines = store(patroni.agreement(), &keys);
        lines.push("balance.wait_for_primary = '1s'".to_owned());
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let identity = keys.server_identity("server");
        let needs = ["target=primary"];
        let server = Server::start_among("server", &identity, &keys, &list, &needs, &lines);
        let identity = keys.client_identity("app");
        let connector = Connector::start("connector", &identity, server.port(), &[]);
        let stand = Self {
            connector,
            server,
            patroni,
            _keys: keys,
        };
        drop(stand.is_reached(0));
        stand
    }

    #[track_caller]
    fn is_reached(&self, node: usize) -> Session {
        until("sessions to get the primary", || {
            let mut session = begins(self.connector.address()).ok()?;
            is_of(&mut session, self.patroni.database(node)).then_some(session)
        })
    }

    /// Waits until nobody takes writes, and sessions hear so.
    #[track_caller]
    fn has_no_primary(&self, mut writer: Session) {
        let heard = writer.read_until_closed();
        assert!(heard.iter().all(|message| message.tag == b'E'), "{heard:?}");
        until("sessions to be refused", || {
            let refused = begins(self.connector.address()).err()?;
            (refused == "57P03").then_some(())
        });
    }

    #[track_caller]
    fn any_is_reached(&self) {
        until("writes again", || {
            let mut session = begins(self.connector.address()).ok()?;
            let answer = session.query("create table if not exists again (x int)");
            tags(&answer).contains('C').then_some(())
        });
    }

    fn promote(&self, node: usize) {
        let mut session = self.patroni.database(node).raw();
        session.start();
        session.query("select pg_promote(true)");
    }
}

#[test]
fn where_patroni_is_paused_and_a_replica_promoted_by_hand_the_newer_timeline_wins() {
    let etcd = Agreement::Etcd(Box::new(Etcd::start_one()));
    let stand = Stand::start(etcd, |_, _| Vec::new());
    stand.patroni.pause(true);
    let writer = stand.is_reached(0);
    stand.promote(1);
    assert_eq!(ends(writer), "57P01");
    drop(stand.is_reached(1));
    let old = stand.patroni.database(0);
    let line = format!("the database {old} claims to be primary on timeline");
    let line = stand.server.process().wait_for_line(&line);
    assert!(line.contains("ERROR"), "{line}");
    let distrusted = format!("database_distrusted{{database=\"{old}\"}}");
    assert_eq!(stand.server.counted(&distrusted), 1);
    // Patroni believes the other one, which it knows: it makes of the new one a replica again.
    stand.patroni.pause(false);
    drop(stand.is_reached(0));
    assert_eq!(stand.server.counted(&distrusted), 0);
}

#[test]
fn without_a_quorum_of_etcd_there_is_no_primary_and_what_is_known_opens_until_there_is_one_again() {
    let etcd = Agreement::Etcd(Box::new(Etcd::start()));
    let mut stand = Stand::start(etcd, |agreement, keys| {
        let Agreement::Etcd(etcd) = agreement else {
            unreachable!("it is etcd");
        };
        let address = etcd.address("store");
        copy_and_freeze(etcd, keys, &keys.store().display().to_string(), &address);
        lines_for(etcd.identity(), &etcd.password_file(), &address)
    });
    let writer = stand.is_reached(0);
    let Agreement::Etcd(etcd) = stand.patroni.agreement_mut() else {
        unreachable!("it is etcd");
    };
    (1..MEMBERS).for_each(|member| etcd.kill(member));
    stand.has_no_primary(writer);
    // The server itself is well: it knows its keys, for as long as max_stale says.
    stand
        .server
        .process()
        .wait_for_line("the store cannot be read");
    assert_eq!(stand.server.ops("/health").status, 200);
    assert_eq!(stand.server.ops("/primary").status, 503);
    let Agreement::Etcd(etcd) = stand.patroni.agreement_mut() else {
        unreachable!("it is etcd");
    };
    (1..MEMBERS).for_each(|member| etcd.restart(member));
    stand.any_is_reached();
    stand
        .server
        .process()
        .wait_for_line("the store can be read again");
}

#[test]
fn while_zookeeper_hangs_there_is_no_primary_and_when_it_goes_on_there_is_one() {
    let zookeeper = Agreement::ZooKeeper(ZooKeeper::start());
    let stand = Stand::start(zookeeper, |_, _| Vec::new());
    let writer = stand.is_reached(0);
    let Agreement::ZooKeeper(zookeeper) = stand.patroni.agreement() else {
        unreachable!("it is ZooKeeper");
    };
    zookeeper.freeze();
    stand.has_no_primary(writer);
    zookeeper.thaw();
    stand.any_is_reached();
}
