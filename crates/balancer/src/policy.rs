//! Which of the endpoints that serve gets the session. Who serves is decided before.

use crate::clock::Moment;
use crate::member::Member;
use crate::random::Random;
use crate::settings::Policy;

/// An endpoint that may get the session: its place in the list, and its weight now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) place: usize,
    /// Above zero.
    pub(crate) weight: u64,
}

/// What a listener remembers of its choices: for each place in the list, how far its turn has come.
#[derive(Debug, Default)]
pub(crate) struct Turns(Vec<i64>);

impl Turns {
    /// For a list whose endpoints were `at` these places of the old one. Those that are new begin
    /// anywhere in their first round, so that many balancers do not begin with the same.
    pub(crate) fn arrange(&mut self, at: &[(Option<usize>, u64)], random: &mut Random) {
        self.0 = at
            .iter()
            .map(|(old, weight)| match old.and_then(|old| self.0.get(old)) {
                Some(turn) => *turn,
                None => signed(random.below(*weight)),
            })
            .collect();
    }
}

/// All that a choice is made from.
pub(crate) struct Ballot<'a> {
    pub(crate) members: &'a [Member],
    pub(crate) candidates: &'a [Candidate],
    pub(crate) now: Moment,
}

/// The place of one of the candidates; nothing if there is none.
pub(crate) fn choose(
    policy: Policy,
    ballot: &Ballot<'_>,
    turns: &mut Turns,
    random: &mut Random,
) -> Option<usize> {
    match policy {
        Policy::RoundRobin => round_robin(ballot.candidates, turns),
        Policy::LeastConnections => least_connections(ballot),
        Policy::PeakEwma => peak_ewma(ballot, random),
    }
}

/// Smooth and weighted: each comes forward by its weight, the foremost is taken and goes back by the sum.
fn round_robin(candidates: &[Candidate], turns: &mut Turns) -> Option<usize> {
    let mut sum = 0;
    let mut foremost: Option<(usize, i64)> = None;
    for candidate in candidates {
        let weight = signed(candidate.weight);
        sum += weight;
        let turn = turns.0.get_mut(candidate.place)?;
        *turn += weight;
        if foremost.is_none_or(|(_, most)| *turn > most) {
            foremost = Some((candidate.place, *turn));
        }
    }
    let (place, _) = foremost?;
    *turns.0.get_mut(place)? -= sum;
    Some(place)
}

/// The fewest sessions for its weight once it has this one, too; of equals the one chosen longest ago.
fn least_connections(ballot: &Ballot<'_>) -> Option<usize> {
    let Ballot {
        members,
        candidates,
        now: _,
    } = ballot;
    let all_publish = candidates
        .iter()
        .all(|c| members[c.place].everybodys_sessions().is_some());
    let sessions = |candidate: &Candidate| {
        let member = &members[candidate.place];
        let published = member.everybodys_sessions().filter(|_| all_publish);
        published.unwrap_or(u64::from(member.sessions)) + 1
    };
    candidates
        .iter()
        .map(|candidate| {
            (
                candidate,
                sessions(candidate),
                members[candidate.place].chosen,
            )
        })
        .min_by(|(one, ones, chosen), (other, others, later)| {
            // As fractions; sessions are at most 2³³ and weights below 2¹⁷, so nothing overflows.
            let (ones, others) = (ones * other.weight, others * one.weight);
            (ones, chosen).cmp(&(others, later))
        })
        .map(|(candidate, ..)| candidate.place)
}

/// Of two drawn by weight, the one that promises less waiting. Two, and not the best of all: what is
/// known is a little old, and all who know it would run to the same one.
fn peak_ewma(ballot: &Ballot<'_>, random: &mut Random) -> Option<usize> {
    let Ballot {
        members,
        candidates,
        now,
    } = *ballot;
    let sum: u64 = candidates.iter().map(|c| c.weight).sum();
    let first = draw(candidates, random.below(sum), None)?;
    let rest = sum - first.weight;
    let Some(second) = draw(candidates, random.below(rest), Some(first.place)) else {
        return Some(first.place);
    };
    let cost = |candidate: Candidate| {
        let member = &members[candidate.place];
        #[expect(clippy::cast_precision_loss, reason = "weights are below 2¹⁷")]
        let weight = candidate.weight as f64;
        member.latency.estimate(now) * (f64::from(member.sessions) + 1.0) / weight
    };
    let better = if cost(second) < cost(first) {
        second
    } else {
        first
    };
    Some(better.place)
}

/// The candidate in whose part of all weights, but those of the one at `without`, `point` lies.
fn draw(candidates: &[Candidate], mut point: u64, without: Option<usize>) -> Option<Candidate> {
    candidates
        .iter()
        .filter(|candidate| Some(candidate.place) != without)
        .find(|candidate| match point.checked_sub(candidate.weight) {
            Some(beyond) => {
                point = beyond;
                false
            }
            None => true,
        })
        .copied()
}

fn signed(weight: u64) -> i64 {
    i64::try_from(weight).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EndpointId;
    use crate::role::Report;
    use crate::settings::Endpoint;
    use std::time::Duration;

    fn members(n: u64) -> Vec<Member> {
        let make = |id| {
            let endpoint = Endpoint::new(format!("e{id}"));
            Member::new(EndpointId(id), endpoint, Moment::START)
        };
        (0..n).map(make).collect()
    }

    fn candidates(weights: &[u64]) -> Vec<Candidate> {
        let make = |(place, weight): (usize, &u64)| Candidate {
            place,
            weight: *weight,
        };
        weights.iter().enumerate().map(make).collect()
    }

    fn ballot<'a>(members: &'a [Member], candidates: &'a [Candidate]) -> Ballot<'a> {
        Ballot {
            members,
            candidates,
            now: Moment::START,
        }
    }

    fn turns(n: usize) -> Turns {
        Turns(vec![0; n])
    }

    #[test]
    fn round_robin_is_smooth() {
        let mut turns = turns(3);
        let candidates = candidates(&[5, 1, 1]);
        let round: Vec<_> = (0..7)
            .map(|_| round_robin(&candidates, &mut turns).unwrap())
            .collect();
        assert_eq!(round, [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(turns.0, [0, 0, 0]);
    }

    #[test]
    fn turns_stay_with_their_endpoints_when_the_list_changes() {
        let mut turns = Turns(vec![10, 20, 30]);
        let mut random = Random::new(1);
        turns.arrange(&[(Some(2), 256), (None, 256), (Some(0), 256)], &mut random);
        assert_eq!((turns.0[0], turns.0[2]), (30, 10));
        assert!((0..256).contains(&turns.0[1]));
    }

    #[test]
    fn least_connections_fills_by_weight() {
        let mut members = members(3);
        let candidates = candidates(&[256, 512, 1024]);
        for n in 0..700 {
            let place = least_connections(&ballot(&members, &candidates)).unwrap();
            members[place].sessions += 1;
            members[place].chosen = n;
        }
        let counts: Vec<_> = members.iter().map(|m| m.sessions).collect();
        assert_eq!(counts, [100, 200, 400]);
    }

    #[test]
    fn least_connections_takes_equals_in_turn() {
        let mut members = members(3);
        let candidates = candidates(&[256; 3]);
        let mut seen = Vec::new();
        for n in 1..=6 {
            let place = least_connections(&ballot(&members, &candidates)).unwrap();
            members[place].chosen = n;
            seen.push(place);
        }
        assert_eq!(seen, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn least_connections_counts_what_all_publish_and_its_own_if_one_does_not() {
        let mut members = members(2);
        let candidates = candidates(&[256; 2]);
        members[0].sessions = 0;
        members[1].sessions = 3;
        let publish = |member: &mut Member, sessions| {
            let report = Report {
                sessions: Some(sessions),
                ..Report::default()
            };
            member.note(Moment::START, &report);
        };
        publish(&mut members[0], 50);
        assert_eq!(least_connections(&ballot(&members, &candidates)), Some(0));
        publish(&mut members[1], 10);
        assert_eq!(least_connections(&ballot(&members, &candidates)), Some(1));
    }

    #[test]
    fn peak_ewma_prefers_the_quicker_and_draws_by_weight() {
        let mut members = members(2);
        let mut random = Random::new(1);
        let pair = candidates(&[256; 2]);
        members[0]
            .latency
            .observe(Moment::START, Duration::from_millis(20));
        for _ in 0..100 {
            let place = peak_ewma(&ballot(&members, &pair), &mut random);
            assert_eq!(place, Some(1));
        }
        members[1].sessions = 100;
        let place = peak_ewma(&ballot(&members, &pair), &mut random);
        assert_eq!(place, Some(0));
        let alone = candidates(&[256]);
        let place = peak_ewma(&ballot(&members, &alone), &mut random);
        assert_eq!(place, Some(0));
    }

    #[test]
    fn draws_follow_weights() {
        let candidates = candidates(&[1, 2, 7]);
        let all: Vec<_> = (0..10)
            .map(|point| draw(&candidates, point, None).unwrap().place)
            .collect();
        assert_eq!(all, [0, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(draw(&candidates, 1, Some(1)).unwrap().place, 2);
        assert!(draw(&candidates, 10, None).is_none());
    }
}
