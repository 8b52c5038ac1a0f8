//! The chooser without sockets: endpoints say what they are, and sessions are chosen for and moved.

use balancer::{MaxLag, State, Target};
use control::{Availability, DatabaseRole, DatabaseStanding, Lineage, Standing};

use super::*;
use crate::lease::Leased;

mod beginning;
mod silence;

/// Nobody checks them.
struct Nobody;

impl Checker for Nobody {
    const NAME: &'static str = "endpoint";

    fn pace(&self, _name: &str) -> Duration {
        Duration::from_millis(250)
    }

    fn check(&self, _chooser: &Arc<Chooser<Self>>, _check: Check) {}
}

fn listener(target: Target) -> Listener {
    Listener {
        choice: balancer::Listener::new(target),
        wait_for_primary: Duration::from_secs(10),
        on_role_change: OnRoleChange::Close,
    }
}

/// Endpoints `a` and `b`.
fn chooser(listeners: &[Listener]) -> Arc<Chooser<Nobody>> {
    let endpoints = [Endpoint::new("a"), Endpoint::new("b")];
    Chooser::new(
        Nobody,
        Counts::new("endpoint"),
        Checks::default(),
        listeners,
        &endpoints,
    )
    .unwrap()
}

fn is(role: DatabaseRole, timeline: u32, position: u64) -> Standing {
    Standing {
        database: Some(DatabaseStanding {
            role,
            timeline,
            position,
            delay_ms: None,
            lineage: Lineage::default(),
        }),
        ..Standing::default()
    }
}

fn primary(timeline: u32) -> Standing {
    is(DatabaseRole::Primary, timeline, 10_000)
}

fn replica(position: u64) -> Standing {
    is(DatabaseRole::Replica, 1, position)
}

/// What the first listener's session gets.
#[track_caller]
fn used(chooser: &Arc<Chooser<Nobody>>) -> Leased<Nobody> {
    match asked(chooser, &[]) {
        Answer::Use(chosen) => chosen,
        _ => panic!("there is an endpoint to use"),
    }
}

fn asked(chooser: &Arc<Chooser<Nobody>>, tried: &[EndpointId]) -> Answer<Nobody> {
    chooser.choose(chooser.listeners[0].0, tried)
}

fn id(chooser: &Chooser<Nobody>, name: &str) -> EndpointId {
    let listed = chooser.endpoints();
    let found = listed.iter().find(|it| &*it.name == name);
    found.unwrap().endpoint
}

fn leaving(chooser: &Chooser<Nobody>, name: &str) -> Option<Leaving> {
    leaving_of(chooser, 0, name)
}

fn leaving_of(chooser: &Chooser<Nobody>, listener: usize, name: &str) -> Option<Leaving> {
    let at = (chooser.listeners[listener].0, id(chooser, name));
    chooser.leaving.borrow().get(&at).copied()
}

fn last_resort(chooser: &Arc<Chooser<Nobody>>, tried: &[EndpointId]) -> Option<String> {
    let chosen = chooser.last_resort(chooser.listeners[0].0, tried)?;
    Some(chosen.name().to_owned())
}

/// Sessions cannot be opened there, until it is down.
fn put_down(chooser: &Arc<Chooser<Nobody>>, name: &str) {
    chooser.heard(name, None);
    for _ in 0..2 {
        let listed = chooser.endpoints();
        let others = listed.iter().filter(|it| &*it.name != name);
        let others: Vec<_> = others.map(|it| it.endpoint).collect();
        match asked(chooser, &others) {
            Answer::Use(leased) => leased.failed("refused"),
            _ => panic!("it serves"),
        }
    }
}

#[test]
fn writers_follow_a_promotion_and_end_where_they_were() {
    for (on_role_change, left) in [
        (OnRoleChange::Close, Some(Leaving::Role)),
        (OnRoleChange::Keep, None),
    ] {
        let writers = Listener {
            on_role_change,
            ..listener(Target::Primary)
        };
        let chooser = chooser(&[writers]);
        assert!(matches!(asked(&chooser, &[]), Answer::NoPrimary));
        chooser.heard("a", Some(&primary(1)));
        chooser.heard("b", Some(&replica(9_000)));
        assert_eq!(used(&chooser).name(), "a");
        let events = *chooser.events().borrow();
        // The old primary says nothing new of itself, and is not believed any more.
        chooser.heard("b", Some(&primary(2)));
        assert!(
            *chooser.events().borrow() > events,
            "whoever waits is woken"
        );
        assert_eq!(used(&chooser).name(), "b");
        // What they would write there would be lost, so it does not matter that they would stay.
        assert_eq!(leaving(&chooser, "a"), Some(Leaving::Role));
        assert_eq!(leaving(&chooser, "b"), None);
        // As a replica it is nothing for them either, and takes no writes.
        chooser.heard("a", Some(&replica(10_000)));
        assert_eq!(leaving(&chooser, "a"), left);
    }
}

#[test]
fn of_two_listeners_only_the_sessions_end_that_need_what_is_gone() {
    let chooser = chooser(&[
        listener(Target::Primary),
        listener(Target::Replica),
        listener(Target::Any),
    ]);
    chooser.heard("a", Some(&primary(1)));
    chooser.heard("b", Some(&replica(9_000)));
    let left = |name| [0, 1, 2].map(|listener| leaving_of(&chooser, listener, name).is_some());
    assert_eq!(left("a"), [false, true, false]);
    assert_eq!(left("b"), [true, false, false]);
    chooser.heard("a", Some(&replica(9_000)));
    chooser.heard("b", Some(&primary(2)));
    assert_eq!(left("a"), [true, false, false]);
    assert_eq!(left("b"), [false, true, false]);
}

#[test]
fn a_replica_beyond_max_lag_gets_no_sessions_and_keeps_those_it_has() {
    let mut readers = listener(Target::Replica);
    readers.choice.max_lag = MaxLag {
        bytes: Some(1024),
        time: None,
    };
    let chooser = chooser(&[readers]);
    chooser.heard("a", Some(&primary(1)));
    for (position, serves) in [(9_500, true), (8_000, false), (9_900, true)] {
        chooser.heard("b", Some(&replica(position)));
        let answer = asked(&chooser, &[]);
        assert_eq!(matches!(answer, Answer::Use(_)), serves, "{position}");
        assert_eq!(leaving(&chooser, "b"), None);
    }
}

#[test]
fn one_that_drains_gets_no_sessions_and_keeps_those_it_has() {
    let chooser = chooser(&[listener(Target::Any)]);
    let draining = Standing {
        availability: Availability::Draining,
        ..Standing::default()
    };
    chooser.heard("a", Some(&draining));
    chooser.heard("b", None);
    for _ in 0..4 {
        assert_eq!(used(&chooser).name(), "b");
    }
    assert_eq!(leaving(&chooser, "a"), None);
}

#[test]
fn sessions_stay_where_no_connects_succeed_for_as_long_as_it_speaks() {
    let chooser = chooser(&[listener(Target::Any)]);
    put_down(&chooser, "a");
    assert!(chooser.endpoints().iter().all(|it| it.state != State::Up));
    let (a, b) = (id(&chooser, "a"), id(&chooser, "b"));
    assert!(matches!(asked(&chooser, &[b]), Answer::Nobody));
    assert_eq!(leaving(&chooser, "a"), None);
    // Silent, but there is no other: that is where sessions go, too.
    chooser.fell_silent("a", "reset");
    assert_eq!(leaving(&chooser, "a"), None);
    assert_eq!(last_resort(&chooser, &[]).as_deref(), Some("a"));
    assert_eq!(last_resort(&chooser, &[a]), None);
    chooser.heard("b", None);
    assert_eq!(leaving(&chooser, "a"), Some(Leaving::Down));
    assert_eq!(leaving(&chooser, "b"), None);
    assert!(matches!(asked(&chooser, &[b]), Answer::Nobody));
}

#[test]
fn sessions_stay_where_the_others_take_none_and_theirs_may_go_anywhere() {
    let chooser = chooser(&[listener(Target::Any), listener(Target::Primary)]);
    let draining = Standing {
        availability: Availability::Draining,
        ..Standing::default()
    };
    chooser.heard("b", Some(&draining));
    put_down(&chooser, "a");
    chooser.fell_silent("a", "reset");
    assert_eq!(leaving_of(&chooser, 0, "a"), None);
    assert_eq!(leaving_of(&chooser, 1, "a"), Some(Leaving::Down));
    chooser.heard("b", None);
    assert_eq!(leaving_of(&chooser, 0, "a"), Some(Leaving::Down));
}

#[tokio::test]
async fn who_needs_a_role_does_not_go_where_nobody_knows_what_is_there() {
    for (target, goes) in [(Target::Replica, false), (Target::Any, true)] {
        let chooser = chooser(&[listener(target)]);
        chooser.heard("b", Some(&primary(1)));
        chooser.heard("a", Some(&replica(1)));
        let mut search = chooser.search(0);
        for _ in 0..6 {
            let Ok(chosen) = search.next().await else {
                break;
            };
            chosen.failed("refused");
        }
        assert_eq!(search.next().await.is_ok(), goes);
    }
}

#[tokio::test]
async fn a_place_is_handed_on_and_lost_to_nobody() {
    let chooser = chooser(&[listener(Target::Any)]);
    let place = Endpoint {
        max_connections: Some(1),
        ..Endpoint::new("a")
    };
    chooser.replace(&[place]).unwrap();
    chooser.heard("a", None);
    let first = used(&chooser);
    let wait = || match asked(&chooser, &[]) {
        Answer::Queued(waiting) => waiting,
        _ => panic!("it has to wait"),
    };
    let (second, third) = (wait(), wait());
    assert_eq!(chooser.queued(0), 2);
    // Its turn comes, and it is not there any more.
    drop(first);
    drop(second);
    let Turn::Granted(third) = third.turn().await else {
        panic!("the place was handed on");
    };
    assert_eq!(third.name(), "a");
    drop(third);
    drop(used(&chooser));
}

#[test]
fn a_new_list_moves_no_session_and_forgets_who_is_gone() {
    let chooser = chooser(&[listener(Target::Any)]);
    chooser.heard("a", None);
    let stays = used(&chooser);
    let gone = id(&chooser, "a");
    chooser
        .replace(&[Endpoint::new("b"), Endpoint::new("c")])
        .unwrap();
    assert!(chooser.leaving.borrow().is_empty());
    assert!(matches!(asked(&chooser, &[]), Answer::NobodyYet));
    chooser.heard("c", None);
    assert_eq!(used(&chooser).name(), "c");
    stays.lost();
    // Listed again, it is another one.
    chooser.replace(&[Endpoint::new("a")]).unwrap();
    assert_ne!(id(&chooser, "a"), gone);
    let twice = [Endpoint::new("b"), Endpoint::new("b")];
    assert!(chooser.replace(&twice).is_err());
    chooser.heard("a", None);
    assert_eq!(used(&chooser).name(), "a");
}

#[test]
fn operators_see_who_serves_what_failed_and_what_became_of_it() {
    let chooser = chooser(&[listener(Target::Primary), listener(Target::Any)]);
    let serving = |listener| {
        let names = chooser.served_by(listener);
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(serving(1), Vec::<String>::new());
    assert_eq!(chooser.known()[0].last_change, None);
    chooser.heard("a", Some(&primary(1)));
    chooser.heard("b", Some(&replica(9_000)));
    assert_eq!(
        (serving(0).join(" "), serving(1).join(" ")),
        ("a".into(), "a b".into())
    );
    assert_eq!(
        serving(2),
        Vec::<String>::new(),
        "there is no such listener"
    );
    used(&chooser).failed("refused");
    let [a, b] = chooser.known().try_into().unwrap();
    assert_eq!(
        (&*a.status.name, a.connects_failed, b.connects_failed),
        ("a", 1, 0)
    );
    assert_eq!(a.last_failure.unwrap().what, "refused");
    assert_eq!(b.last_failure, None);
    chooser.fell_silent("b", "reset");
    let failure = chooser.known()[1].last_failure.take();
    assert_eq!(failure.unwrap().what, "reset");
    let change = b.last_change.unwrap().what;
    assert_eq!(change, "b was of unknown role, and is replica");
    // What is not listed any more leaves nothing behind.
    chooser.replace(&[]).unwrap();
    assert!(chooser.known().is_empty());
    let inner = chooser.lock();
    assert!(inner.changes.is_empty() && inner.causes.is_empty());
}
