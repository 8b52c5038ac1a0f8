//! How sessions begin: what they meet where they are sent, and what they are told.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::begin::{Beginner, Begun, Unbegun, begin};
use crate::search::Unserved;
use crate::way::{Chosen, Ways};

/// Connects to endpoints that answer with these words, by their names; others never let anybody in.
struct Stand {
    answers: Vec<(&'static str, &'static [u8])>,
    connects: RefCell<String>,
}

impl Beginner<Nobody> for Stand {
    type Stream = DuplexStream;
    type Peer = DuplexStream;
    type Error = Infallible;
    type Ending = Infallible;

    async fn connect(
        &self,
        chosen: &Chosen<Nobody>,
        _fresh: bool,
    ) -> Result<(DuplexStream, DuplexStream), Infallible> {
        self.connects.borrow_mut().push_str(chosen.name());
        let mut answers = self.answers.iter();
        let Some((_, answer)) = answers.find(|(name, _)| *name == chosen.name()) else {
            return pending().await;
        };
        let (near, mut far) = duplex(1024);
        far.write_all(answer).await.expect("there is room for it");
        Ok((near, far))
    }

    fn was_kept(&self, _peer: &DuplexStream) -> bool {
        false
    }

    async fn must_end(&self, _peer: Option<&DuplexStream>) -> Infallible {
        pending().await
    }

    fn answer_timeout(&self) -> Duration {
        Duration::from_secs(600)
    }
}

const TAKEN: &[u8] = b"R";
const REFUSED: &[u8] = b"E\0\0\0\x17SFATAL\0C57P03\0Mno\0\0";

impl Stand {
    fn new(answers: &[(&'static str, &'static [u8])]) -> Self {
        Self {
            answers: answers.to_vec(),
            connects: RefCell::default(),
        }
    }

    /// Begins a session of the first listener.
    async fn begin(
        &self,
        chooser: &Arc<Chooser<Nobody>>,
    ) -> Result<Begun<Nobody, Self>, Unbegun<Infallible, Infallible>> {
        let way = Ways::Several(chooser.clone()).way(0);
        let (mut app, _stays) = duplex(1024);
        begin(self, way, &mut app, b"startup").await
    }

    /// Where connects went so far, in order.
    fn connects(&self) -> String {
        self.connects.borrow().clone()
    }
}

const A_WHILE: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_last_resort_is_waited_for_where_none_that_is_up_takes_the_session() {
    let spoilers: [fn(&Arc<Chooser<Nobody>>); 4] = [
        |chooser| {
            let draining = Standing {
                availability: Availability::Draining,
                ..Standing::default()
            };
            chooser.heard("a", Some(&draining));
        },
        // Distrusted.
        |chooser| {
            chooser.heard("a", Some(&primary(1)));
            chooser.heard("b", Some(&primary(2)));
        },
        |chooser| {
            let resting = Endpoint {
                weight: 0,
                ..Endpoint::new("a")
            };
            let list = [resting, Endpoint::new("b")];
            chooser.replace(&list).expect("the list is good");
        },
        // It refuses this session alone.
        |_| {},
    ];
    let spoilt = |spoil: fn(&Arc<Chooser<Nobody>>)| {
        let chooser = chooser(&[listener(Target::Any)]);
        chooser.heard("a", None);
        chooser.heard("b", None);
        spoil(&chooser);
        put_down(&chooser, "b");
        chooser.fell_silent("b", "reset");
        chooser
    };
    for (spoil, connects) in spoilers.into_iter().zip(["b", "b", "b", "ab"]) {
        let stand = Stand::new(&[("a", REFUSED)]);
        let begun = timeout(A_WHILE, stand.begin(&spoilt(spoil))).await;
        assert!(begun.is_err(), "it waits for b");
        assert_eq!(stand.connects(), connects);
        // And where b answers after all, the session stays.
        let stand = Stand::new(&[("a", REFUSED), ("b", TAKEN)]);
        let begun = stand.begin(&spoilt(spoil)).await.expect("b takes it");
        assert_eq!(begun.chosen.name(), "b");
        let left = timeout(A_WHILE, begun.chosen.leaving()).await;
        assert!(left.is_err(), "{left:?}");
    }
}

/// Where a session gets that queues for the only place on `a`, once `a` is down and then this happens.
async fn after_queueing(
    chooser: &Arc<Chooser<Nobody>>,
    then: impl FnOnce(),
) -> Result<String, Unserved> {
    let place = Endpoint {
        max_connections: Some(1),
        ..Endpoint::new("a")
    };
    chooser
        .replace(&[place, Endpoint::new("b")])
        .expect("the list is good");
    let _held = used(chooser);
    let mut search = chooser.search(0);
    let loss = async {
        while chooser.queued(0) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..2 {
            chooser.fell_silent("a", "reset");
        }
        // It has taken note before anything else happens.
        tokio::task::yield_now().await;
        then();
    };
    let (found, ()) = tokio::join!(timeout(Duration::from_secs(5), search.next()), loss);
    // Well before `queue_timeout`.
    found
        .expect("it does not queue")
        .map(|it| it.name().to_owned())
}

#[tokio::test]
async fn whoever_queues_when_all_go_down_gets_what_others_get_then() {
    let writers = chooser(&[listener(Target::Primary)]);
    writers.heard("a", Some(&primary(1)));
    writers.heard("b", Some(&replica(9_000)));
    let promotion = || writers.heard("b", Some(&primary(2)));
    let found = after_queueing(&writers, promotion).await;
    assert_eq!(found.as_deref(), Ok("b"));

    let anywhere = chooser(&[listener(Target::Any)]);
    put_down(&anywhere, "b");
    anywhere.heard("a", None);
    let found = after_queueing(&anywhere, || {}).await;
    assert_eq!(found.as_deref(), Ok("b"));

    let readers = chooser(&[listener(Target::Replica)]);
    readers.heard("a", Some(&replica(9_000)));
    readers.heard("b", Some(&primary(1)));
    let found = after_queueing(&readers, || {}).await;
    assert_eq!(found, Err(Unserved::Nobody));
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_primary_that_refuses_reach_whoever_waited_for_another() {
    let chooser = chooser(&[listener(Target::Primary)]);
    chooser.heard("a", Some(&primary(1)));
    let stand = Stand::new(&[("a", REFUSED)]);
    match stand.begin(&chooser).await {
        Err(Unbegun::Refused(code, words)) => {
            assert_eq!((code.as_str(), &*words), ("57P03", REFUSED));
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
    // Where none has said anything, nobody is known to be primary.
    let unbegun = stand.begin(&chooser).await.map(|_| ()).unwrap_err();
    assert!(
        matches!(unbegun, Unbegun::Unserved(Unserved::NoPrimary)),
        "{unbegun:?}"
    );
}

#[tokio::test]
async fn a_session_on_a_last_resort_is_counted_until_it_ends() {
    let chooser = chooser(&[listener(Target::Any)]);
    put_down(&chooser, "a");
    put_down(&chooser, "b");
    let sessions = || {
        chooser
            .endpoints()
            .iter()
            .map(|it| it.sessions)
            .sum::<u32>()
    };
    let stand = Stand::new(&[("a", TAKEN), ("b", TAKEN)]);
    let begun = stand.begin(&chooser).await.expect("one takes it");
    assert_eq!(sessions(), 1);
    drop(begun);
    assert_eq!(sessions(), 0);
    // What becomes of those that do not begin is counted, too.
    let stand = Stand::new(&[("a", REFUSED), ("b", REFUSED)]);
    assert!(stand.begin(&chooser).await.is_err());
    let refused = |it: &Known| (it.connects_failed, it.status.sessions);
    let known: Vec<_> = chooser.known().iter().map(refused).collect();
    assert_eq!(known, [(3, 0), (3, 0)]);
}

#[tokio::test]
async fn a_last_resort_is_left_for_one_that_takes_sessions_again() {
    let chooser = chooser(&[listener(Target::Any)]);
    let draining = Standing {
        availability: Availability::Draining,
        ..Standing::default()
    };
    chooser.heard("a", Some(&draining));
    put_down(&chooser, "b");
    chooser.fell_silent("b", "reset");
    let stand = Stand::new(&[("a", TAKEN)]);
    let begun = async {
        let begun = timeout(Duration::from_secs(5), stand.begin(&chooser)).await;
        let begun = begun.expect("b is left").expect("a takes it");
        begun.chosen.name().to_owned()
    };
    let recovery = async {
        while stand.connects().is_empty() {
            tokio::task::yield_now().await;
        }
        chooser.heard("a", None);
    };
    let (begun, ()) = tokio::join!(begun, recovery);
    assert_eq!((begun.as_str(), stand.connects().as_str()), ("a", "ba"));
}
