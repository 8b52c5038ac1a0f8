use std::time::Duration;

use balancer::{Lag, Report, Role};
use control::{Lineage, Standing};

use super::*;

const SETTLED: Duration = Duration::from_secs(2);

/// What endpoints say, in order, a second apart.
struct Said {
    databases: Databases<u8>,
    now: Instant,
}

impl Said {
    fn new() -> Self {
        Self {
            databases: Databases::new(Duration::from_secs(10), SETTLED),
            now: Instant::now(),
        }
    }

    fn says(&mut self, endpoint: u8, database: DatabaseStanding) -> Report {
        self.now += Duration::from_secs(1);
        let standing = Standing {
            database: Some(database),
            ..Standing::default()
        };
        self.databases.report(self.now, endpoint, Some(&standing))
    }
}

fn primary(timeline: u32, position: u64) -> DatabaseStanding {
    DatabaseStanding {
        role: DatabaseRole::Primary,
        timeline,
        position,
        delay_ms: None,
        lineage: Lineage::default(),
    }
}

fn replica(receives: Option<u32>, position: u64) -> DatabaseStanding {
    DatabaseStanding {
        role: DatabaseRole::Replica,
        timeline: receives.unwrap_or(1),
        position,
        delay_ms: Some(0),
        lineage: Lineage {
            receives,
            ..Lineage::default()
        },
    }
}

fn started(mut database: DatabaseStanding, at: u64) -> DatabaseStanding {
    database.lineage.started_ms = Some(at);
    database
}

#[track_caller]
fn lag(report: &Report) -> (Option<u64>, Option<u64>) {
    let Role::Replica {
        lag: Lag { bytes, time },
    } = report.role
    else {
        panic!("{report:?}");
    };
    assert_eq!(report.objection, None);
    (bytes, time.map(|time| time.as_secs()))
}

#[test]
fn an_old_primary_is_superseded_by_what_a_replica_has_come_to() {
    let mut said = Said::new();
    assert_eq!(said.says(0, primary(1, 100)).objection, None);
    said.says(2, replica(None, 100));
    assert_eq!(said.says(0, primary(1, 100)).objection, None);
    // The newest primary was never heard: it died before this program was started.
    said.says(2, replica(Some(2), 120));
    let superseded = Objection::Superseded {
        timeline: 1,
        newest: 2,
    };
    assert_eq!(said.says(0, primary(1, 100)).objection, Some(superseded));
    // Nor is it any better while that replica is silent.
    said.databases
        .report(said.now, 2, Some(&Standing::default()));
    assert_eq!(said.says(0, primary(1, 100)).objection, Some(superseded));
    assert_eq!(said.says(2, primary(3, 120)).objection, None);
    said.says(2, replica(Some(1), 90));
    assert_eq!(said.says(0, primary(1, 100)).objection, None);
}

#[test]
fn two_primaries_on_one_timeline_are_both_distrusted_and_silence_makes_neither_better() {
    let mut said = Said::new();
    let twin = Some(Objection::Twin { timeline: 2 });
    let (one, other) = (started(primary(2, 100), 7), started(primary(2, 90), 8));
    for expected in [None, None, twin] {
        said.says(0, one);
        assert_eq!(said.says(1, other).objection, expected);
    }
    assert_eq!(said.says(0, one).objection, twin);
    said.databases
        .report(said.now, 1, Some(&Standing::default()));
    assert_eq!(said.says(0, one).objection, twin);
    // One of them has been made to follow.
    said.says(1, started(replica(Some(2), 100), 9));
    assert_eq!(said.says(0, one).objection, None);
}

#[test]
fn two_servers_before_one_database_are_no_twins_although_one_hears_later_of_a_restart() {
    let mut said = Said::new();
    let (before, after) = (started(primary(1, 100), 7), started(primary(1, 100), 8));
    for _ in 0..5 {
        assert_eq!(said.says(0, before).objection, None);
        assert_eq!(said.says(1, before).objection, None);
    }
    assert_eq!(said.says(0, after).objection, None);
    assert_eq!(said.says(1, before).objection, None);
    assert_eq!(said.says(1, after).objection, None);
    for _ in 0..5 {
        assert_eq!(said.says(0, after).objection, None);
        assert_eq!(said.says(1, after).objection, None);
    }
    // Silent since before another restart.
    for _ in 0..5 {
        assert_eq!(said.says(0, started(primary(1, 100), 9)).objection, None);
    }
}

#[test]
fn a_replica_that_goes_on_with_the_old_primary_has_no_known_lag_and_then_another_history() {
    let mut said = Said::new();
    said.says(0, primary(1, 100));
    said.says(1, replica(Some(1), 100));
    assert_eq!(
        lag(&said.says(2, replica(Some(1), 100))),
        (Some(0), Some(0))
    );
    said.says(1, primary(2, 110));
    // So far both had the same; but the new one has gone on since.
    assert_eq!(
        lag(&said.says(2, replica(Some(1), 100))),
        (Some(10), Some(1))
    );
    said.says(1, primary(2, 150));
    assert_eq!(
        lag(&said.says(2, replica(Some(1), 99))),
        (Some(51), Some(3))
    );
    // Perhaps the new one has this, perhaps not.
    assert_eq!(lag(&said.says(2, replica(Some(1), 101))), (None, None));
    assert_eq!(lag(&said.says(2, replica(Some(1), 110))), (None, None));
    let strayed = Objection::Strayed {
        timeline: 1,
        newest: 2,
    };
    assert_eq!(said.says(2, replica(Some(1), 111)).objection, Some(strayed));
    // It receives nothing, and does not say on which timeline it has come so far.
    assert_eq!(said.says(2, replica(None, 111)).objection, Some(strayed));
    said.databases
        .report(said.now, 2, Some(&Standing::default()));
    assert_eq!(said.says(2, replica(None, 111)).objection, Some(strayed));
    // It was rewound.
    assert_eq!(
        lag(&said.says(2, replica(Some(2), 140))),
        (Some(10), Some(0))
    );
}

#[test]
fn how_far_a_replica_shares_the_newest_primarys_past_is_not_known_where_that_was_no_replica_before()
{
    let mut said = Said::new();
    said.says(1, primary(2, 110));
    assert_eq!(lag(&said.says(2, replica(Some(1), 50))), (None, None));
    assert_eq!(
        lag(&said.says(2, replica(Some(2), 50))),
        (Some(60), Some(0))
    );
}

#[test]
fn whom_a_replica_follows_that_does_not_tell_is_not_known_while_an_old_primary_goes_on() {
    let mut said = Said::new();
    said.says(1, primary(2, 110));
    said.says(0, primary(1, 100));
    assert_eq!(lag(&said.says(2, replica(None, 100))), (None, None));
    // It has fallen silent: this is what each failover is like.
    said.says(0, primary(1, 100));
    said.databases
        .report(said.now, 0, Some(&Standing::default()));
    assert_eq!(lag(&said.says(2, replica(None, 100))), (Some(10), Some(0)));
}
