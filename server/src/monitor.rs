//! Watches the database, through a session of the server's own or through Patroni: whether it is a primary
//! or a replica, how far it has come, and whether it answers at all.
//!
//! Of whom it is asked is `monitor/source`; what is asked of the database `monitor/question`, and how,
//! `monitor/session`; of Patroni `monitor/patroni`. Who is told what was found: `standing` and `ops`.

mod export;
pub(crate) mod fuzzing;
mod login;
pub(crate) mod patroni;
mod problem;
mod question;
mod session;
mod source;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use control::{DatabaseRole, DatabaseStanding};
use tokio::time::MissedTickBehavior;

use crate::config::{Config, PatroniAddress};
use crate::database::Database;
use crate::databases::Node;
use crate::shared::Shared;

use problem::Problem;
use source::{Conversation, Source};

pub use export::OfDatabases;
pub use question::{Answer, Following};

/// How often it is tried whether the database takes new connections: those that it has may go on when it
/// does not. Each try costs it a process. Where one failed, the next follows at the interval of questions:
/// who moved an address, or started a database, waits for it.
const KNOCK: Duration = Duration::from_secs(1);

/// How long it takes to the next attempt where somebody has to correct something: each leaves a line in
/// the database's log.
const REFUSED: Duration = Duration::from_secs(1);

/// The shortest `monitor_interval` and `monitor_timeout`.
const SHORTEST: Duration = Duration::from_millis(10);

/// How the database is watched, and what it said.
pub struct Monitor {
    source: Source,
    interval: Duration,
    limit: Duration,
    heard: Arc<Heard>,
}

/// What is known of the database. Nothing, before it has answered for the first time.
#[derive(Debug, Default)]
pub struct Heard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What it said last, and when, if the last question was answered.
    answer: Option<(Answer, Instant)>,
    /// Whether the last connection was not taken.
    closed: bool,
    /// When the replica was last seen to receive and to have replayed all of it.
    up_to_date: Option<Instant>,
    /// What the log was told last.
    told: Option<Told>,
}

/// What changes seldom enough for a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Up(DatabaseRole, u32),
    /// Down, and it may come back by itself.
    Away,
    /// Down, until somebody corrects something.
    Refused,
}

impl Monitor {
    /// From the configuration, of a database that has this Patroni; `None` where it is not to be watched.
    ///
    /// # Errors
    /// In a line: keys that are wrong, or a file that cannot be used.
    pub fn new(config: &Config, patroni: Option<&PatroniAddress>) -> Result<Option<Self>, String> {
        for (key, period) in [
            ("monitor_interval", config.monitor_interval),
            ("monitor_timeout", config.monitor_timeout),
        ] {
            if period.0 < SHORTEST {
                return Err(format!("{key}: {period} is too short; set 10ms at least"));
            }
        }
        let source = Source::new(&config.database.monitor, patroni)?;
        Ok(source.map(|source| Self {
            source,
            interval: config.monitor_interval.0,
            limit: config.monitor_timeout.0,
            heard: Arc::default(),
        }))
    }

    /// How often the database is asked.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// What is known, for who keeps looking at it.
    #[must_use]
    pub fn heard(&self) -> &Arc<Heard> {
        &self.heard
    }

    /// The answer to the next question, in a conversation that is begun where there is none. One that broke
    /// says little of the database: another is begun at once.
    async fn ask(
        &self,
        conversation: &mut Option<Conversation>,
        database: &Database,
    ) -> Result<Answer, Problem> {
        if let Some(mut open) = conversation.take() {
            match self.in_time(open.ask()).await {
                Ok(answer) => {
                    *conversation = Some(open);
                    return Ok(answer);
                }
                Err(silent) if silent.is_silence() => return Err(silent),
                Err(_) => {}
            }
        }
        let mut opened = self.in_time(self.source.open(database)).await?;
        let answer = self.in_time(opened.ask()).await?;
        *conversation = Some(opened);
        Ok(answer)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let timeout = |_| self.source.silent(self.limit);
        let done = tokio::time::timeout(self.limit, work).await;
        done.map_err(timeout)?
    }
}

impl Heard {
    /// How the database stands; `None` while it does not answer.
    #[must_use]
    pub fn standing(&self) -> Option<DatabaseStanding> {
        self.answer().map(|(answer, _)| answer.standing)
    }

    /// All it said, and when; `None` while it does not answer.
    #[must_use]
    pub fn answer(&self) -> Option<(Answer, Instant)> {
        let state = self.lock();
        state.answer.filter(|_| !state.closed)
    }

    /// Takes over an answer, or that there is none. True where that is to be told at once.
    fn answered(&self, answer: Result<Answer, Problem>) -> bool {
        let mut state = self.lock();
        let problem = match answer {
            Ok(answer) => {
                let now = Instant::now();
                let answer = answer.following(&mut state.up_to_date, now);
                state.answer = Some((answer, now));
                state.closed.then_some(Problem::Closed)
            }
            Err(problem) => {
                state.answer = None;
                Some(problem)
            }
        };
        state.tell(problem)
    }

    /// Takes over whether the database takes connections. True where that is to be told at once.
    fn knocked(&self, opens: bool) -> bool {
        let mut state = self.lock();
        state.closed = !opens;
        // Why it does not answer either is known, or soon.
        state.answer.is_some() && state.tell((!opens).then_some(Problem::Closed))
    }

    /// No code that holds the lock can panic half-way through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes a line where something has changed, and says whether it has. Why a database is away may
    /// change at each attempt; that somebody has to correct something is told all the same.
    fn tell(&mut self, problem: Option<Problem>) -> bool {
        let now = match (&problem, self.answer) {
            (None, Some((answer, _))) => Told::Up(answer.standing.role, answer.standing.timeline),
            (Some(problem), _) if !problem.is_absence() => Told::Refused,
            _ => Told::Away,
        };
        let before = self.told.replace(now);
        if before == Some(now) || (before, now) == (Some(Told::Refused), Told::Away) {
            self.told = before;
            return false;
        }
        match (now, before) {
            (Told::Up(role, timeline), Some(Told::Up(..))) => {
                tracing::warn!(%role, timeline, "the database has become another");
            }
            (Told::Up(role, timeline), _) => {
                tracing::info!(%role, timeline, "the database answers the monitor");
            }
            (Told::Away | Told::Refused, _) => {
                let error = problem.map(tracing::field::display);
                tracing::error!(error, "the database does not answer the monitor");
            }
        }
        true
    }
}

/// Asks a database at each interval, until dropped. Returns at once where it is not to be watched.
pub async fn watch(node: Arc<Node>, shared: Arc<Shared>) {
    if let Some(monitor) = &node.monitor {
        tokio::join!(
            knock(monitor, &node, &shared),
            question(monitor, &node, &shared)
        );
    }
}

async fn question(monitor: &Monitor, node: &Node, shared: &Shared) {
    let mut conversation = None;
    let mut ticks = tokio::time::interval(monitor.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let answer = monitor.ask(&mut conversation, &node.database).await;
        let refused = answer.as_ref().is_err_and(|problem| !problem.is_absence());
        let why = answer
            .as_ref()
            .err()
            .unwrap_or(&Problem::Closed)
            .to_string();
        let is_news = monitor.heard.answered(answer);
        shared.databases.heard(node, &why);
        if is_news {
            shared.publish();
        }
        if refused {
            tokio::time::sleep(REFUSED).await;
        }
    }
}

async fn knock(monitor: &Monitor, node: &Node, shared: &Shared) {
    loop {
        let knocked = tokio::time::timeout(monitor.limit, node.database.answers()).await;
        let opens = knocked.unwrap_or(false);
        if monitor.heard.knocked(opens) {
            shared.databases.heard(node, &Problem::Closed.to_string());
            shared.publish();
        }
        let pause = if opens {
            KNOCK
        } else {
            monitor.interval.min(KNOCK)
        };
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use control::Lineage;

    use super::*;

    fn answer(role: DatabaseRole, timeline: u32, position: u64) -> Answer {
        Answer {
            standing: DatabaseStanding {
                role,
                timeline,
                position,
                delay_ms: None,
                lineage: Lineage::default(),
            },
            version: 150_013,
            following: None,
        }
    }

    #[test]
    fn what_is_told_at_once_is_role_timeline_and_whether_it_answers() {
        use DatabaseRole::{Primary, Replica};
        let heard = Heard::default();
        let silent = || Problem::Silent(Duration::from_secs(1));
        assert_eq!(heard.standing(), None);
        for (answer, at_once) in [
            (Ok(answer(Replica, 1, 10)), true),
            (Ok(answer(Replica, 1, 20)), false),
            (Ok(answer(Replica, 2, 20)), true),
            (Ok(answer(Primary, 3, 20)), true),
            (Err(silent()), true),
            (Err(Problem::Closed), false),
            // Somebody can do something about this, and is told once.
            (Err(Problem::NoPassword), true),
            (Err(silent()), false),
            (Err(Problem::NoPassword), false),
            (Ok(answer(Primary, 3, 30)), true),
        ] {
            let expected = answer.as_ref().ok().map(|answer| answer.standing);
            let said = format!("{answer:?}");
            assert_eq!(heard.answered(answer), at_once, "{said}");
            assert_eq!(heard.standing(), expected, "{said}");
        }
    }

    #[test]
    fn a_database_that_takes_no_connections_is_gone_although_it_answers() {
        let heard = Heard::default();
        let primary = answer(DatabaseRole::Primary, 1, 1);
        // Why it does not answer is the question's to find out.
        assert!(!heard.knocked(false));
        assert!(!heard.knocked(true));
        assert!(heard.answered(Ok(primary)));
        assert!(heard.knocked(false));
        assert_eq!(heard.standing(), None);
        assert!(!heard.answered(Ok(primary)));
        assert_eq!(heard.standing(), None);
        assert!(heard.knocked(true));
        assert_eq!(heard.standing(), Some(primary.standing));
    }

    #[test]
    fn a_period_that_is_too_short_is_no_configuration() {
        let new = |key: &str, period: &str| {
            let mut config = serde_json::json!({
                "store": "s",
                "database": { "address": "d:1", "monitor": { "user": "u" } },
                "tls": { "certificate": "c", "private_key": "k", "ca": "a" },
            });
            config[key] = period.into();
            Monitor::new(&serde_json::from_value(config).unwrap(), None).map(|it| it.is_some())
        };
        for key in ["monitor_interval", "monitor_timeout"] {
            assert_eq!(new(key, "10ms"), Ok(true));
            let error = new(key, "9ms").unwrap_err();
            assert_eq!(error, format!("{key}: 9ms is too short; set 10ms at least"));
        }
    }
}
