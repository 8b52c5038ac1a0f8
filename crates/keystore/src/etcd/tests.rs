//! The engine on real clusters of three members, with TLS and authentication.

mod deadlines;

use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use harness::{MEMBERS, Tap, until};
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::gateway::Repeat;
use super::messages::HeaderResponse;
use super::*;
use crate::engine::conformance::{commands, compare};
use crate::engine::{Listed, MAX_COMMIT, MAX_VALUE, Named};
use crate::sqlite::Sqlite;
use crate::{EtcdAddress, StoreAddress};

/// A cluster for all tests that disturb nobody else's.
static CLUSTER: LazyLock<harness::Etcd> = LazyLock::new(harness::Etcd::start);
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A prefix that no other test uses.
fn fresh() -> String {
    format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn parse(text: &str) -> EtcdAddress {
    match text.parse() {
        Ok(StoreAddress::Etcd(address)) => address,
        other => panic!("{other:?}"),
    }
}

fn address_of(cluster: &harness::Etcd, name: &str) -> EtcdAddress {
    parse(&cluster.address(name))
}

/// The address of a store with these endpoints only.
fn address_at(endpoints: &[&str], name: &str) -> EtcdAddress {
    let prefix = harness::Etcd::PREFIX;
    parse(&format!("etcd://{}{prefix}{name}", endpoints.join(",")))
}

fn settings(cluster: &harness::Etcd) -> EtcdSettings {
    let identity = cluster.identity();
    EtcdSettings {
        ca: Some(identity.ca.clone()),
        certificate: Some(identity.certificate.clone()),
        private_key: Some(identity.private_key.clone()),
        user: Some(harness::Etcd::USER.into()),
        password_file: Some(cluster.password_file()),
    }
}

fn as_root(cluster: &harness::Etcd) -> EtcdSettings {
    EtcdSettings {
        user: Some("root".into()),
        password_file: Some(cluster.root_password_file()),
        ..settings(cluster)
    }
}

fn create(cluster: &harness::Etcd, name: &str) -> Etcd {
    Etcd::create(&address_of(cluster, name), &settings(cluster), &[]).unwrap()
}

fn open(cluster: &harness::Etcd, name: &str) -> Etcd {
    Etcd::open(&address_of(cluster, name), &settings(cluster)).unwrap()
}

fn put(name: &str, value: impl Into<Vec<u8>>) -> Edit {
    Edit::Put(Named {
        name: name.into(),
        value: value.into(),
    })
}

fn condition(name: &str, revision: i64) -> Condition {
    Condition {
        name: name.into(),
        revision,
    }
}

fn value(engine: &Etcd, name: &str) -> Option<Vec<u8>> {
    engine.get(name).unwrap().map(|found| found.value)
}

fn done(commit: Result<Commit, Error>) -> i64 {
    match commit.unwrap() {
        Commit::Done(revision) => revision,
        Commit::Conflict => panic!("a conflict"),
    }
}

fn said<T>(result: Result<T, Error>) -> String {
    let text = result.map(drop).unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

/// Whether a file below `directory` that etcd answers from has these bytes in it.
fn is_in_database(cluster: &harness::Etcd, member: usize, sought: &[u8]) -> bool {
    let database = cluster.data(member).join("member/snap/db");
    let bytes = std::fs::read(database).unwrap();
    bytes.windows(sought.len()).any(|window| window == sought)
}

proptest! {
    #![proptest_config(Config { cases: 48, max_shrink_iters: 64, ..Config::default() })]

    #[test]
    fn sqlite_and_etcd_answer_alike(commands in commands()) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("store.db");
        let sqlite = Sqlite::create(&file, Duration::from_secs(5), &[]).unwrap();
        let etcd = create(&CLUSTER, &fresh());
        compare(&sqlite, &etcd, &commands);
    }
}

#[test]
fn a_prefix_is_made_once_and_one_that_holds_something_else_is_refused() {
    let name = fresh();
    let (address, settings) = (address_of(&CLUSTER, &name), settings(&CLUSTER));
    assert!(matches!(
        Etcd::open(&address, &settings),
        Err(Error::NoStore { .. })
    ));
    let made = Etcd::create(&address, &settings, &[put("header", "1")]).unwrap();
    assert_eq!(value(&made, "header").unwrap(), b"1");
    let again = Etcd::create(&address, &settings, &[put("header", "2")]);
    assert!(matches!(again, Err(Error::Exists { .. })));
    assert_eq!(value(&open(&CLUSTER, &name), "header").unwrap(), b"1");

    for (key, content) in [
        ("leader", "patroni-1"),
        ("", "patroni-1"),
        ("", "pgseal-store x"),
    ] {
        let name = fresh();
        let address = address_of(&CLUSTER, &name);
        let key = format!("{}{key}", address.prefix());
        CLUSTER.ctl(&["put", &key, content]).success();
        for refused in [
            Etcd::create(&address, &settings, &[put("header", "")]),
            Etcd::open(&address, &settings),
        ] {
            assert!(matches!(refused, Err(Error::NotAStore { .. })), "{key}");
        }
        let found = CLUSTER
            .ctl(&["get", "--prefix", address.prefix()])
            .success();
        assert_eq!(found.lines().collect::<Vec<_>>(), [key.as_str(), content]);
    }
}

#[test]
fn a_store_of_a_newer_form_is_named_and_left_alone() {
    let name = fresh();
    let made = create(&CLUSTER, &name);
    let id = "00112233445566778899aabbccddeeff";
    CLUSTER
        .ctl(&["put", &made.prefix, &format!("pgseal-store 2 {id}")])
        .success();
    let opened = Etcd::open(&address_of(&CLUSTER, &name), &settings(&CLUSTER));
    assert!(matches!(
        opened,
        Err(Error::NewerFormat {
            found: 2,
            known: 1,
            ..
        })
    ));
}

#[test]
fn what_is_written_through_one_member_is_read_through_the_others_at_once() {
    let name = fresh();
    create(&CLUSTER, &name);
    let engines = [0, 1, 2].map(|member| {
        let address = address_at(&[CLUSTER.endpoint(member)], &name);
        Etcd::open(&address, &settings(&CLUSTER)).unwrap()
    });
    for round in 0..60_usize {
        let known = engines[0].changes(0).unwrap().revision;
        let text = round.to_string();
        let revision = done(engines[round % 3].commit(&[], &[put("a", text.as_str())]));
        for engine in &engines {
            assert_eq!(value(engine, "a").unwrap(), text.as_bytes());
            let changes = engine.changes(known).unwrap();
            assert_eq!(changes.revision, revision);
            assert_eq!(changes.names, Some(vec!["a".into()]));
        }
    }
}

#[test]
fn no_increment_is_lost_among_writers_that_read_and_compare() {
    const EACH: usize = 25;
    let name = fresh();
    let engine = create(&CLUSTER, &name);
    done(engine.commit(&[], &[put("n", "0")]));
    let increment = |engine: &Etcd| {
        loop {
            let found = engine.get("n").unwrap().unwrap();
            let number: usize = str::from_utf8(&found.value).unwrap().parse().unwrap();
            let edits = [put("n", (number + 1).to_string())];
            match engine.commit(&[condition("n", found.revision)], &edits) {
                Ok(Commit::Done(_)) => return,
                Ok(Commit::Conflict) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let other = open(&CLUSTER, &name);
    thread::scope(|scope| {
        for engine in [&engine, &engine, &other] {
            scope.spawn(move || (0..EACH).for_each(|_| increment(engine)));
        }
    });
    assert_eq!(
        value(&engine, "n").unwrap(),
        (3 * EACH).to_string().as_bytes()
    );
}

#[test]
fn commits_and_values_of_the_most_that_is_allowed_fit_and_larger_ones_are_refused() {
    let engine = create(&CLUSTER, &fresh());
    let long = vec![b'x'; MAX_VALUE];
    done(engine.commit(&[condition("long", 0)], &[put("long", long.clone())]));
    assert_eq!(value(&engine, "long").unwrap(), long);
    let names: Vec<_> = (0..MAX_COMMIT)
        .map(|number| format!("many/{number:03}"))
        .collect();
    let conditions: Vec<_> = names.iter().map(|name| condition(name, 0)).collect();
    let edits: Vec<_> = names.iter().map(|name| put(name, "x")).collect();
    let since = engine.changes(0).unwrap().revision;
    done(engine.commit(&conditions, &edits));
    assert_eq!(engine.changes(since).unwrap().names, Some(names));

    for length in [MAX_VALUE, 4 * MAX_VALUE] {
        let edits = [put("a", vec![b'x'; length]), put("b", vec![b'x'; length])];
        // So much to send and to read may take longer than is waited, on a busy machine.
        let mut tries = (0..10).map(|_| engine.commit(&[], &edits).map(drop).unwrap_err());
        let refused = tries.find(|error| !error.is_silence()).unwrap();
        assert!(
            matches!(refused, Error::Etcd(EtcdError::TooLarge)),
            "{refused}"
        );
    }
    assert!(engine.get("a").unwrap().is_none());
}

#[test]
fn a_page_that_is_too_long_for_one_answer_comes_in_parts() {
    let engine = create(&CLUSTER, &fresh());
    let long = vec![b'x'; MAX_VALUE];
    let names: Vec<_> = (0..14).map(|number| format!("a/{number:03}")).collect();
    for name in &names {
        done(engine.commit(&[], &[put(name, long.clone())]));
    }
    let (mut found, mut after) = (Vec::new(), None::<String>);
    let mut pages = 0;
    loop {
        let page = engine.scan("a/", after.as_deref(), MAX_PAGE).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        assert!(page.iter().all(|one| one.value == long));
        found.extend(page.into_iter().map(|one| one.name));
        pages += 1;
    }
    assert_eq!(found, names);
    assert_eq!(pages, 2);
    CLUSTER.ctl(&["del", "--prefix", &engine.prefix]).success();
}

#[test]
fn names_are_not_told_when_they_are_too_many_or_their_history_is_gone() {
    let engine = create(&CLUSTER, &fresh());
    let since = engine.changes(0).unwrap().revision;
    assert_eq!(engine.changes(since + 1_000_000).unwrap().names, None);
    done(engine.commit(&[], &[put("a", "1")]));
    let last = done(engine.commit(&[], &[put("b", "1")]));
    assert_eq!(engine.changes(since).unwrap().names.unwrap(), ["a", "b"]);
    CLUSTER.ctl(&["compact", &last.to_string()]).success();
    let changes = engine.changes(since).unwrap();
    assert_eq!((changes.revision, changes.names), (last, None));
    assert_eq!(engine.changes(last).unwrap().names, Some(Vec::new()));

    let mut names = 0;
    while names <= 10_000 {
        let edits: Vec<_> = (0..MAX_COMMIT)
            .map(|number| put(&format!("many/{names}/{number}"), ""))
            .collect();
        done(engine.commit(&[], &edits));
        names += MAX_COMMIT;
    }
    let changes = engine.changes(last).unwrap();
    assert!(changes.names.is_none() && changes.revision > last);
}

#[test]
fn a_prefix_that_was_wiped_or_made_anew_is_not_taken_for_the_one_that_was_opened() {
    let name = fresh();
    let engine = create(&CLUSTER, &name);
    let revision = done(engine.commit(&[], &[put("a", "1")]));
    CLUSTER.ctl(&["del", "--prefix", &engine.prefix]).success();
    let refuses = || {
        for refused in [
            engine.changes(revision).map(drop),
            engine.commit(&[], &[put("a", "2")]).map(drop),
        ] {
            assert!(matches!(refused, Err(Error::Replaced { .. })));
        }
    };
    refuses();
    let anew = create(&CLUSTER, &name);
    refuses();
    assert_eq!(value(&anew, "a"), None);
}

#[test]
fn logins_are_renewed_and_wrong_ones_told_apart() {
    let mut cluster = harness::Etcd::start();
    let name = fresh();
    let engine = create(&cluster, &name);
    done(engine.commit(&[], &[put("a", "1")]));
    // Whatever changes among etcd's users puts an end to all tokens; so does a member's restart.
    cluster.ctl(&["role", "add", "another"]).success();
    assert_eq!(value(&engine, "a").unwrap(), b"1");
    for member in 0..MEMBERS {
        cluster.kill(member);
        cluster.restart(member);
    }
    cluster.wait_for_health();
    assert_eq!(value(&engine, "a").unwrap(), b"1");
    done(engine.commit(&[], &[put("a", "2")]));

    let address = address_of(&cluster, &name);
    let good = settings(&cluster);
    let open = |settings: &EtcdSettings| said(Etcd::open(&address, settings));
    let wrong_password = EtcdSettings {
        password_file: Some(cluster.root_password_file()),
        ..good.clone()
    };
    let text = open(&wrong_password);
    assert!(
        text.starts_with("etcd refuses the login of user 'pgseal'"),
        "{text}"
    );
    assert!(!text.contains(harness::Etcd::ROOT_PASSWORD));
    let nobody = EtcdSettings {
        user: None,
        password_file: None,
        ..good.clone()
    };
    let text = open(&nobody);
    assert!(text.starts_with("etcd asks who is asking"), "{text}");
    let elsewhere = parse(&cluster.address("x").replace("/pgseal/x", "/service/x"));
    let text = said(Etcd::open(&elsewhere, &good));
    assert!(text.contains("permission denied"), "{text}");
    let text = said(Etcd::create(&elsewhere, &good, &[]));
    assert!(text.contains("permission denied"), "{text}");

    cluster.ctl(&["auth", "disable"]).success();
    let text = open(&good);
    assert!(text.contains("authentication switched off"), "{text}");
    assert!(Etcd::open(&address, &nobody).is_ok());
}

#[test]
fn settings_that_do_not_go_together_or_would_go_in_clear_are_refused() {
    let good = settings(&CLUSTER);
    let address = address_of(&CLUSTER, "none");
    let open = |settings: EtcdSettings| said(Etcd::open(&address, &settings));
    let none = EtcdSettings::default;
    let other = harness::Ca::new();
    let stranger = other.issue(&harness::Leaf::client("store").without_uri());
    let named = CLUSTER.named_identity();
    for (settings, text) in [
        (
            EtcdSettings {
                private_key: None,
                ..good.clone()
            },
            "go together",
        ),
        (
            EtcdSettings {
                certificate: None,
                ..good.clone()
            },
            "go together",
        ),
        (
            EtcdSettings {
                user: None,
                ..good.clone()
            },
            "go together",
        ),
        (
            EtcdSettings {
                ca: None,
                ..good.clone()
            },
            "needs etcd.ca",
        ),
        (
            EtcdSettings {
                ca: good.private_key.clone(),
                ..good.clone()
            },
            "no certificate",
        ),
        (
            EtcdSettings {
                private_key: good.ca.clone(),
                ..good.clone()
            },
            "open to other users",
        ),
        (
            EtcdSettings {
                private_key: Some(stranger.private_key.clone()),
                ..good.clone()
            },
            "fit",
        ),
        (
            EtcdSettings {
                ca: Some("/none.crt".into()),
                ..good.clone()
            },
            "/none.crt",
        ),
        (
            EtcdSettings {
                ca: Some(stranger.ca.clone()),
                ..good.clone()
            },
            "etcd does not answer",
        ),
        (
            EtcdSettings {
                certificate: Some(stranger.certificate.clone()),
                private_key: Some(stranger.private_key.clone()),
                ..good.clone()
            },
            "etcd does not answer",
        ),
        (
            EtcdSettings {
                certificate: None,
                private_key: None,
                ..good.clone()
            },
            "etcd does not answer",
        ),
        (
            EtcdSettings {
                certificate: Some(named.certificate.clone()),
                private_key: Some(named.private_key.clone()),
                ..good.clone()
            },
            "without a common name",
        ),
        // TLS is spoken there.
        (none(), "etcd does not answer"),
    ] {
        let found = open(settings);
        assert!(found.contains(text), "{found}");
    }
    let afar = parse("etcd://localhost:1,198.51.100.1:1/pgseal");
    let text = said(Etcd::open(&afar, &none()));
    assert!(text.contains("only with TLS"), "{text}");
}

/// An engine that asks one member through a tap, and one that asks another member.
fn tapped(name: &str) -> (Etcd, Tap, Etcd) {
    let direct = create(&CLUSTER, name);
    let port = CLUSTER.endpoint(0).rsplit_once(':').unwrap().1;
    let tap = Tap::to(port.parse().unwrap());
    let address = address_at(&[&format!("127.0.0.1:{}", tap.port())], name);
    let engine = Etcd::open(&address, &settings(&CLUSTER)).unwrap();
    (engine, tap, direct)
}

#[test]
fn a_commit_whose_answer_is_lost_is_told_as_done_and_was_made_once() {
    // One that names what it writes is sent again, one that does not is looked for.
    for named in [true, false] {
        let (engine, tap, direct) = tapped(&fresh());
        let since = done(engine.commit(&[condition("n", 0)], &[put("n", "1")]));
        let conditions = if named {
            vec![condition("n", since)]
        } else {
            vec![]
        };
        tap.truncate_after(0);
        let revision = done(engine.commit(&conditions, &[put("n", "2")]));
        assert_eq!(value(&direct, "n").unwrap(), b"2");
        assert_eq!(direct.changes(since).unwrap().revision, revision);
        let mut commits = 0;
        let count = |_, _| {
            commits += 1;
            ControlFlow::Continue(())
        };
        direct.history(since, revision, count).unwrap().unwrap();
        assert_eq!(commits, 1);
    }
}

#[test]
fn a_commit_that_others_followed_before_its_answer_was_missed_is_still_found() {
    let name = fresh();
    let (engine, tap, direct) = tapped(&name);
    let first = done(engine.commit(&[condition("n", 0)], &[put("n", "1")]));
    tap.stall();
    thread::scope(|scope| {
        let commit = scope.spawn(|| engine.commit(&[condition("n", first)], &[put("n", "2")]));
        // A stalled tap holds back what goes to etcd: the commit of another comes first.
        let second = done(direct.commit(&[condition("n", first)], &[put("n", "other")]));
        tap.flow();
        assert_eq!(commit.join().unwrap().unwrap(), Commit::Conflict);
        assert_eq!(direct.get("n").unwrap().unwrap().revision, second);
    });

    let found = direct.get("n").unwrap().unwrap().revision;
    thread::scope(|scope| {
        tap.truncate_after(0);
        let commit = scope.spawn(|| engine.commit(&[condition("n", found)], &[put("n", "3")]));
        // Follows as soon as it is made.
        let made = until("the commit", || {
            direct.get("n").unwrap().filter(|found| found.value == b"3")
        });
        done(direct.commit(&[], &[put("m", "after")]));
        assert_eq!(commit.join().unwrap().unwrap(), Commit::Done(made.revision));
    });
}

#[test]
fn a_store_that_has_not_changed_since_etcd_was_compacted_is_read_whole() {
    let engine = create(&CLUSTER, &fresh());
    let last = done(engine.commit(&[], &[put("n", "1")]));
    // Others write and etcd is compacted behind that: what stood here is still the newest.
    let other = create(&CLUSTER, &fresh());
    let newer = done(other.commit(&[], &[put("m", "2")]));
    CLUSTER.ctl(&["compact", &newer.to_string()]).success();
    let mut names = Vec::new();
    let mut each = |found: Listed| {
        names.push(found.name);
        Ok(())
    };
    assert_eq!(engine.read_all(&mut each).unwrap(), last);
    assert_eq!(names, ["n"]);
}

#[test]
fn a_full_etcd_is_told_as_such_and_reads_go_on() {
    let cluster = harness::Etcd::start();
    let engine = create(&cluster, &fresh());
    done(engine.commit(&[], &[put("n", "0")]));
    let root = Etcd::open(&address_of(&cluster, "none"), &as_root(&cluster));
    assert!(matches!(root, Err(Error::NoStore { .. })));
    let gateway = Gateway::new(&address_of(&cluster, "none"), &as_root(&cluster)).unwrap();
    let alarm = serde_json::json!({ "action": "ACTIVATE", "alarm": "NOSPACE" });
    gateway
        .ask::<HeaderResponse>("maintenance/alarm", &alarm, Repeat::Always)
        .map_err(|fault| gateway.failed(fault))
        .unwrap();
    let text = said(engine.commit(&[], &[put("n", "1")]));
    assert!(text.starts_with("etcd is full"), "{text}");
    assert_eq!(value(&engine, "n").unwrap(), b"0");
    cluster.ctl(&["alarm", "disarm"]).success();
    done(engine.commit(&[], &[put("n", "1")]));
}

#[test]
fn purged_values_are_gone_from_every_member_and_members_that_are_missed_are_named() {
    let mut cluster = harness::Etcd::start();
    let name = fresh();
    let engine = create(&cluster, &name);
    let secret = b"a value that nobody is to find again";
    done(engine.commit(&[], &[put("a", *secret)]));
    done(engine.commit(&[], &[put("stays", "here")]));
    done(engine.commit(&[], &[Edit::Remove("a".into())]));
    for member in 0..MEMBERS {
        until("the value on every member's disk", || {
            is_in_database(&cluster, member, secret).then_some(())
        });
    }
    let text = said(engine.purge());
    assert!(text.contains("etcdctl defrag --cluster"), "{text}");

    let root = Etcd::open(&address_of(&cluster, &name), &as_root(&cluster)).unwrap();
    let two = [cluster.endpoint(0), cluster.endpoint(1)];
    let partly = Etcd::open(&address_at(&two, &name), &as_root(&cluster)).unwrap();
    let text = said(partly.purge());
    assert!(text.contains("etcd-2: no endpoint given"), "{text}");
    cluster.kill(2);
    let text = said(root.purge());
    assert!(
        text.contains("etcd-2") && !text.contains("etcd-1"),
        "{text}"
    );
    cluster.restart(2);
    cluster.wait_for_health();
    root.purge().unwrap();
    for member in 0..MEMBERS {
        assert!(!is_in_database(&cluster, member, secret), "{member}");
    }
    assert_eq!(value(&engine, "stays").unwrap(), b"here");
}

#[test]
fn an_endpoint_of_another_cluster_is_not_believed() {
    let other = harness::Etcd::start();
    let name = fresh();
    create(&CLUSTER, &name);
    create(&other, &name);
    let engine = open(&CLUSTER, &name);
    let stranger = Gateway::new(&address_of(&other, &name), &settings(&other)).unwrap();
    // As if a name had begun to lead elsewhere.
    let confused = Etcd {
        gateway: stranger.of_cluster_of(&engine.gateway),
        prefix: engine.prefix.clone(),
        made_at: engine.made_at,
    };
    let text = said(confused.get("a"));
    assert!(text.contains("another etcd cluster"), "{text}");
}
