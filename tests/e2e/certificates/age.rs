//! Who does not know who is revoked lets nobody in.

use std::fs;

use harness::http::Request;
use harness::raw::tls::Hello;
use harness::raw::{Message, message};
use harness::{Leaf, Program, until};

use super::{Stand, goes_on, says};

/// What a client hears whom the server does not let in.
#[track_caller]
fn refused_by_server(stand: &Stand) -> Option<Message> {
    let mut session = Hello::from(&stand.app)
        .connect(stand.server.port())
        .unwrap();
    session.send(message::startup(&[
        ("user", "postgres"),
        ("database", "postgres"),
    ]));
    let first = session.read().unwrap();
    (first.tag == b'E').then_some(first)
}

/// The value of a metric in seconds.
fn seconds(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("no {name}: {metrics}"));
    value.trim().parse().unwrap()
}

fn move_store(stand: &Stand, from: &str, to: &str) {
    let store = stand.keys.store();
    let directory = store.parent().unwrap();
    fs::rename(directory.join(from), directory.join(to)).unwrap();
}

#[test]
fn a_server_whose_store_has_not_confirmed_the_list_for_too_long_lets_nobody_in() {
    let mut stand = Stand::with(&["max_crl_age = '1h'"], &[]);
    let mut running = stand.session();
    assert_eq!(stand.server.ops("/health").status, 200);
    move_store(&stand, "store.db", "away.db");
    stand
        .server
        .process()
        .wait_for_line("the store cannot be read");
    assert!(refused_by_server(&stand).is_none(), "an hour is not over");
    stand.server.apply(&["max_crl_age = '1s'"]);
    let refusal = until("the list to be too old", || refused_by_server(&stand));
    let text = "the pgseal server does not know which certificates are revoked";
    assert_eq!(says(&refusal), ("57P03".into(), text.into()));
    let zones = Request::post("/v1/zones");
    assert_eq!(stand.server.control(&stand.app, &zones).status, 503);
    let metrics = stand.server.ops("/metrics");
    let age = "pgseal_server_revocation_list_age_seconds ";
    assert!(seconds(metrics.text(), age) > 1.0);
    let health = stand.server.ops("/health");
    assert_eq!(health.status, 503, "{health:?}");
    goes_on(&mut running);

    move_store(&stand, "away.db", "store.db");
    until("the list to be fresh", || {
        refused_by_server(&stand).is_none().then_some(())
    });
    assert!(seconds(stand.server.ops("/metrics").text(), age) < 1.0);
    assert_eq!(stand.server.ops("/health").status, 200);
    goes_on(&mut running);
}

/// Runs SQL on the store, as somebody can that has its file and not its master key.
fn on_store(stand: &Stand, sql: &str) {
    let script = "import sqlite3, sys\n\
                  sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    let python = Program::at("/usr/bin/python3").args(["-c", script]);
    python.arg(stand.keys.store()).arg(sql).run().success();
}

#[test]
fn a_list_that_was_altered_or_removed_lets_nobody_in_at_once() {
    for change in [
        "update record set value = zeroblob(length(value)) where name = 'revocations'",
        "delete from record where name = 'revocations'",
    ] {
        let stand = Stand::start();
        let mut running = stand.session();
        // The store's revision says nothing of it.
        on_store(&stand, change);
        let refusal = until("the server to notice", || refused_by_server(&stand));
        assert_eq!(refusal.sqlstate(), "57P03", "{change}");
        let line = stand.server.process().wait_for_line("no new sessions");
        assert!(
            line.contains("ERROR") && line.contains("revocations"),
            "{line}"
        );
        let health = stand.server.ops("/health");
        assert_eq!(health.status, 503);
        assert_eq!(
            health.text(),
            "the list of revoked certificates cannot be relied on\n"
        );
        goes_on(&mut running);
    }
}

#[test]
fn a_list_that_goes_back_lets_nobody_in() {
    let stand = Stand::start();
    let kept = stand.keys.store().with_extension("kept");
    let attach = format!("attach '{}' as kept;", kept.display());
    let keep = "create table kept.record as select * from record where name = 'revocations'";
    on_store(&stand, &format!("{attach} {keep}"));
    stand.revoke(&stand.ca.issue(&Leaf::client("other")));
    stand.connector_has_heard(1);
    let put_back = "insert or replace into main.record select * from kept.record";
    on_store(&stand, &format!("{attach} {put_back}"));
    let refusal = until("the server to notice", || refused_by_server(&stand));
    assert_eq!(refusal.sqlstate(), "57P03");
    let line = stand.server.process().wait_for_line("no new sessions");
    assert!(line.contains("went back from number"), "{line}");
}

#[test]
fn a_connector_that_has_not_heard_for_too_long_trusts_no_server() {
    let mut stand = Stand::with(&[], &["max_crl_age = '1h'"]);
    stand.connector_has_heard(0);
    let mut running = stand.session();
    assert_eq!(stand.connector.api(&Request::get("/health")).status, 200);
    stand.control.refuse();
    goes_on(&mut stand.session());
    stand.connector.apply(&["max_crl_age = '1s'"]);
    let told = until("the list to be too old", || {
        let mut session = stand.connector.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        let first = session.read().unwrap();
        (first.tag == b'E').then_some(first)
    });
    let text = "pgseal-connector does not know which certificates are revoked";
    assert_eq!(says(&told), ("57P03".into(), text.into()));
    let health = stand.connector.api(&Request::get("/health"));
    assert_eq!(health.status, 503);
    assert_eq!(
        health.text(),
        "the list of revoked certificates is too old\n"
    );
    let metrics = stand.connector.api(&Request::get("/metrics"));
    let age = "pgseal_connector_revocation_list_age_seconds ";
    assert!(seconds(metrics.text(), age) > 1.0);
    goes_on(&mut running);
    stand.control.flow();
    until("the connector to hear again", || {
        (stand.connector.api(&Request::get("/health")).status == 200).then_some(())
    });
    goes_on(&mut stand.session());
}

#[test]
fn a_connector_that_never_hears_of_a_list_trusts_its_server_for_max_crl_age_and_no_longer() {
    let stand = Stand::with(&[], &["control = '127.0.0.1:1'", "max_crl_age = '3s'"]);
    goes_on(&mut stand.session());
    let told = until("the time to be over", || {
        let mut session = stand.connector.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        let first = session.read().unwrap();
        (first.tag == b'E').then_some(first)
    });
    assert_eq!(told.sqlstate(), "57P03");
}

#[test]
fn a_connector_counts_the_age_that_its_server_reports() {
    let stand = Stand::start();
    stand.connector_has_heard(0);
    move_store(&stand, "store.db", "away.db");
    until("both to grow old alike", || {
        let status = stand.server.ops("/metrics");
        let own = stand.connector.api(&Request::get("/metrics"));
        let of = |text: &str, who: &str| {
            seconds(text, &format!("pgseal_{who}_revocation_list_age_seconds "))
        };
        let (server, connector) = (of(status.text(), "server"), of(own.text(), "connector"));
        assert!(connector < server + 2.0, "{connector} and {server}");
        (server > 3.0 && connector > 3.0).then_some(())
    });
}
