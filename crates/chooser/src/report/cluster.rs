//! Which cluster the databases are of, by the system identifier that PostgreSQL gives to one and that its
//! copies keep. One that is of another, by a wrong address or because it was made anew, would be a primary
//! as good as any.
//!
//! The cluster is that of most. Where as many speak for one as for another, nobody knows; once it is known,
//! it stays the one until nobody is of it any more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use control::DatabaseStanding;

use super::trust::Word;

/// The cluster that sessions are to find.
#[derive(Debug)]
pub(super) struct Cluster {
    settled: Duration,
    /// When the first of it was heard, or of those that contradict each other.
    first: Option<Instant>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// All that were heard agree, and others may not.
    Open,
    /// It is this one.
    Known(u64),
    /// They contradict each other.
    Contradicted,
}

impl Cluster {
    /// Nobody was heard yet. Those that were not heard within `settled` come too late to be counted.
    pub fn new(settled: Duration) -> Self {
        Self {
            settled,
            first: None,
            state: State::Open,
        }
    }

    /// Takes over what all say.
    pub fn hear<K>(&mut self, now: Instant, words: &HashMap<K, Word>) {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        let told = words.values().filter_map(|it| it.database.lineage.system);
        told.for_each(|system| *counts.entry(system).or_default() += 1);
        if let State::Known(system) = self.state {
            if counts.contains_key(&system) {
                return;
            }
            self.first = None;
        }
        let Some(most) = counts.values().copied().max() else {
            self.first = None;
            self.state = State::Open;
            return;
        };
        let first = *self.first.get_or_insert(now);
        let is_settled = now.saturating_duration_since(first) >= self.settled;
        let mut leading = counts.iter().filter(|(_, count)| **count == most);
        self.state = match (leading.next(), leading.next()) {
            (Some((system, _)), None) if is_settled => State::Known(*system),
            _ if counts.len() == 1 => State::Open,
            _ => State::Contradicted,
        };
    }

    /// Whether a database is of another cluster than sessions are to find, or may be.
    pub fn is_foreign(&self, database: &DatabaseStanding) -> bool {
        match (self.state, database.lineage.system) {
            (_, None) | (State::Open, _) => false,
            (State::Known(ours), Some(system)) => system != ours,
            (State::Contradicted, Some(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use control::{DatabaseRole, Lineage};

    use super::*;

    const SETTLED: Duration = Duration::from_secs(2);

    fn of(system: Option<u64>) -> DatabaseStanding {
        DatabaseStanding {
            role: DatabaseRole::Primary,
            timeline: 1,
            position: 1,
            delay_ms: None,
            lineage: Lineage {
                system,
                ..Lineage::default()
            },
        }
    }

    /// Which of them are foreign, after each of these was heard so many seconds after the start; 0 says nothing of its
    /// cluster.
    fn foreign(heard: &[(u64, usize, u64)]) -> Vec<usize> {
        let start = Instant::now();
        let (mut cluster, mut words) = (Cluster::new(SETTLED), HashMap::new());
        for (second, endpoint, system) in heard {
            let now = start + Duration::from_secs(*second);
            let database = of((*system > 0).then_some(*system));
            let word = Word::after(words.get(endpoint), database, now);
            words.insert(*endpoint, word);
            cluster.hear(now, &words);
        }
        let found = words
            .iter()
            .filter(|(_, it)| cluster.is_foreign(&it.database));
        let mut found: Vec<_> = found.map(|(endpoint, _)| *endpoint).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn the_cluster_is_that_of_most() {
        assert_eq!(foreign(&[(0, 0, 7), (0, 1, 7), (0, 2, 8)]), [0, 1, 2]);
        let heard = [(0, 0, 8), (0, 1, 7), (0, 2, 7), (2, 0, 8)];
        assert_eq!(foreign(&heard), [0]);
    }

    #[test]
    fn where_as_many_say_one_as_another_none_is_believed() {
        assert_eq!(foreign(&[(0, 0, 7), (0, 1, 8), (9, 1, 8)]), [0, 1]);
        // One of them has been corrected.
        assert!(foreign(&[(0, 0, 7), (9, 1, 8), (9, 1, 7)]).is_empty());
    }

    #[test]
    fn the_cluster_that_is_known_stays_the_one_while_anybody_is_of_it() {
        let heard = [(0, 0, 7), (2, 0, 7), (3, 1, 8), (3, 2, 8), (9, 2, 8)];
        assert_eq!(foreign(&heard), [1, 2]);
        let made_anew = [&heard[..], &[(10, 0, 8), (12, 0, 8)]].concat();
        assert!(foreign(&made_anew).is_empty());
        let another = [&made_anew[..], &[(13, 0, 7)]].concat();
        assert_eq!(foreign(&another), [0]);
    }

    #[test]
    fn who_does_not_tell_its_cluster_is_not_judged_by_it() {
        assert!(foreign(&[(0, 0, 7), (2, 0, 7), (3, 1, 0)]).is_empty());
        assert!(foreign(&[(0, 0, 0), (3, 1, 0)]).is_empty());
    }
}
