//! How long calls take when members are lost: what is promised, with nothing else on the machine.

use std::time::Instant;

use super::*;

/// What every call ends within, whatever etcd does.
const DEADLINE: Duration = Duration::from_secs(5);
/// What a machine with other work adds to that.
const BUSY: Duration = Duration::from_millis(500);

#[test]
fn one_member_less_is_not_noticed_and_none_at_all_is_told_in_time() {
    let mut cluster = harness::Etcd::start();
    let engine = create(&cluster, &fresh());
    let mut revision = done(engine.commit(&[], &[put("n", "0")]));
    for member in 0..MEMBERS {
        cluster.kill(member);
        let begun = Instant::now();
        let text = member.to_string();
        // The one that is gone may have been the leader: a new one is waited for.
        let edits = [put("n", text.as_str())];
        revision = done(engine.commit(&[condition("n", revision)], &edits));
        assert_eq!(value(&engine, "n").unwrap(), text.as_bytes());
        assert!(begun.elapsed() < DEADLINE + BUSY);
        cluster.restart(member);
        cluster.wait_for_health();
    }
    // Standing still, members accept connections and answer nothing.
    done(engine.commit(&[], &[put("m", "an open connection")]));
    (0..MEMBERS).for_each(|member| cluster.freeze(member));
    let begun = Instant::now();
    let sent = engine.commit(&[condition("n", revision)], &[put("n", "x")]);
    assert!(begun.elapsed() < DEADLINE + BUSY, "{:?}", begun.elapsed());
    assert!(matches!(sent, Err(Error::Etcd(EtcdError::Unheard(_)))));
    for _ in 0..2 {
        let begun = Instant::now();
        let text = said(engine.changes(revision));
        assert!(begun.elapsed() < DEADLINE + BUSY, "{:?}", begun.elapsed());
        assert!(text.starts_with("etcd does not answer"), "{text}");
    }
    (0..MEMBERS).for_each(|member| cluster.thaw(member));
    cluster.wait_for_health();
    assert!(engine.changes(revision).is_ok());

    (0..MEMBERS).for_each(|member| cluster.kill(member));
    let begun = Instant::now();
    let text = said(engine.get("n"));
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    for member in 0..MEMBERS {
        assert!(text.contains(cluster.endpoint(member)), "{text}");
    }
    (0..MEMBERS).for_each(|member| cluster.restart(member));
    until("etcd to answer again", || engine.get("n").ok());
}

#[test]
fn a_member_that_stands_still_is_left_for_another_and_not_asked_again() {
    let cluster = harness::Etcd::start();
    let engine = create(&cluster, &fresh());
    done(engine.commit(&[], &[put("n", "0")]));
    cluster.freeze(0);
    let begun = Instant::now();
    assert_eq!(value(&engine, "n").unwrap(), b"0");
    assert!(begun.elapsed() < DEADLINE + BUSY, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(value(&engine, "n").unwrap(), b"0");
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}
