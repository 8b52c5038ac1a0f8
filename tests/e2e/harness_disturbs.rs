//! The tap records what passes, and disturbs it as told.

use std::time::Duration;

use harness::raw::{Ended, message, tags};
use harness::{Cluster, Tap, scan, until};

#[tokio::test]
async fn a_tap_records_both_directions() {
    let cluster = Cluster::start();
    let tap = Tap::to(cluster.address().port());
    let client = tap.address().connect().await;
    let row = client
        .query_one("select 'to the ' || 'application'", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "to the application");
    assert_eq!(scan(&tap.app_to_db(), &["select 'to the '"]).len(), 1);
    assert_eq!(scan(&tap.app_to_db(), &["to the application"]), []);
    assert_eq!(scan(&tap.db_to_app(), &["to the application"]).len(), 1);
    assert_eq!(
        tap.everything().len(),
        tap.app_to_db().len() + tap.db_to_app().len()
    );
    assert_eq!(tap.connections(), 1);
}

#[test]
fn a_cut_connection_ends_and_the_next_one_works() {
    let cluster = Cluster::start();
    let tap = Tap::to(cluster.address().port());
    let mut cut = tap.address().raw();
    cut.start();
    tap.cut();
    assert_eq!(cut.read(), Err(Ended::Closed));
    tap.address().raw().start();
    assert_eq!(tap.connections(), 2);
}

#[test]
fn a_stalled_connection_stays_open_and_goes_on_later() {
    let cluster = Cluster::start();
    let tap = Tap::to(cluster.address().port());
    let mut session = tap.address().raw();
    session.start();
    tap.stall();
    session.send(message::query("select 1"));
    session.set_timeout(Duration::from_millis(100));
    assert_eq!(session.read(), Err(Ended::TimedOut));
    session.set_timeout(harness::PATIENCE);
    tap.flow();
    assert_eq!(tags(&session.read_until_ready()), "TDCZ");
}

#[test]
fn a_refusing_tap_closes_what_comes() {
    let cluster = Cluster::start();
    let tap = Tap::to(cluster.address().port());
    tap.refuse();
    let mut refused = tap.address().raw();
    assert_eq!(refused.read(), Err(Ended::Closed));
    tap.flow();
    tap.address().raw().start();
}

#[test]
fn a_truncated_answer_ends_after_so_many_bytes() {
    let cluster = Cluster::start();
    let tap = Tap::to(cluster.address().port());
    let mut session = tap.address().raw();
    session.start();
    // RowDescription of one column named ?column? is 1 + 4 + 2 + 9 + 18 bytes long.
    tap.truncate_after(34 + 3);
    session.send(message::query("select 1"));
    assert_eq!(tags(&session.read_until_closed()), "T");
    tap.address().raw().start();
}

#[test]
fn a_tap_in_pieces_carries_everything() {
    let cluster = Cluster::start();
    let tap = Tap::to(cluster.address().port());
    tap.in_pieces(1);
    let mut session = tap.address().raw();
    session.start();
    let answer = session.query("select repeat('x', 5000)");
    assert_eq!(tags(&answer), "TDCZ");
    assert_eq!(answer[1].row(), [Some(vec![b'x'; 5000])]);
}

#[test]
fn a_closed_end_reaches_the_other_one() {
    let cluster = Cluster::start();
    let tap = Tap::to(cluster.address().port());
    let mut session = tap.address().raw();
    session.start();
    let count = "select count(*) from pg_stat_activity where backend_type = 'client backend'
                 and pid <> pg_backend_pid()";
    // The session that found the cluster ready may be ending still.
    until("the backend to be alone", || {
        (cluster.value(count) == "1").then_some(())
    });
    drop(session);
    until("the backend to end", || {
        (cluster.value(count) == "0").then_some(())
    });
}
