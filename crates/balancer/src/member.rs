//! One endpoint of the list while it runs: its settings, its health, what it says of itself, its sessions.
//! Which of several is chosen is `policy`'s, and whose claim is believed `timeline`'s.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::event::EndpointId;
use crate::health::{Health, State};
use crate::latency::PeakEwma;
use crate::role::{Availability, Fit, Objection, Report, Role, fit};
use crate::schedule::Schedule;
use crate::settings::{Endpoint, Listener};

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: EndpointId,
    pub(crate) name: Arc<str>,
    pub(crate) settings: Endpoint,
    pub(crate) health: Health,
    pub(crate) schedule: Schedule,
    pub(crate) latency: PeakEwma,
    /// As it said last; unknown again when it is down or has been silent for long.
    pub(crate) role: Role,
    /// When it said so.
    pub(crate) heard: Option<Moment>,
    /// The timeline on which it was primary by its last word, however long ago that was.
    pub(crate) claimed: Option<u32>,
    /// What speaks against it by its last report, however long ago that was.
    pub(crate) objection: Option<Objection>,
    /// Something does; or it was primary by its last word, and another endpoint was on a newer timeline
    /// by its.
    pub(crate) distrusted: bool,
    /// The caller was told so.
    pub(crate) accused: bool,
    /// By an operator's decision here.
    pub(crate) drained: bool,
    /// How many sessions it has from here.
    pub(crate) sessions: u32,
    /// When it was chosen last: the count of all choices at that time.
    pub(crate) chosen: u64,
    published: Availability,
    everybodys: Option<Everybodys>,
}

/// The sessions that an endpoint says it has, and how many of them were from here when it said so.
#[derive(Clone, Copy, Debug)]
struct Everybodys {
    sessions: u32,
    from_here: u32,
}

/// How well an endpoint serves a listener: the lowest that is there gets the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    fit: Fit,
    backup: bool,
}

impl Member {
    pub(crate) fn new(id: EndpointId, settings: Endpoint, now: Moment) -> Self {
        Self {
            id,
            name: Arc::from(settings.name.as_str()),
            settings,
            health: Health::new(now),
            schedule: Schedule::new(now),
            latency: PeakEwma::default(),
            role: Role::Unknown,
            heard: None,
            claimed: None,
            objection: None,
            distrusted: false,
            accused: false,
            drained: false,
            sessions: 0,
            chosen: 0,
            published: Availability::default(),
            everybodys: None,
        }
    }

    /// What an operator decided goes before what it says itself.
    pub(crate) fn availability(&self) -> Availability {
        if self.drained {
            Availability::Draining
        } else {
            self.published
        }
    }

    /// Takes note of all but the role.
    pub(crate) fn note(&mut self, now: Moment, report: &Report) {
        self.heard = Some(now);
        self.published = report.availability;
        self.objection = report.objection;
        self.everybodys = report.sessions.map(|sessions| Everybodys {
            sessions,
            from_here: self.sessions,
        });
        match report.role {
            Role::Primary { timeline } => self.claimed = Some(timeline),
            Role::Replica { .. } => self.claimed = None,
            Role::Unknown => {}
        }
    }

    /// When its role will have been known for too long to be believed.
    pub(crate) fn believed_until(&self, memory: Duration) -> Option<Moment> {
        let heard = self.heard?;
        (self.role != Role::Unknown).then(|| heard.after(memory))
    }

    /// When it is to be looked at next: for a check, or because its role is not believed any more.
    pub(crate) fn due(&self, memory: Duration) -> Moment {
        let check = self.schedule.next_due();
        self.believed_until(memory)
            .map_or(check, |until| until.min(check))
    }

    /// Nothing if it gets no session of this listener now. Whether it is full is not looked at.
    pub(crate) fn rank(&self, listener: &Listener) -> Option<Rank> {
        let takes_sessions = self.health.state() == State::Up
            && self.availability() == Availability::Accepting
            && !self.distrusted
            && self.settings.weight > 0;
        if !takes_sessions {
            return None;
        }
        let fit = fit(
            self.role,
            listener.target,
            listener.max_lag,
            listener.fallback_to_primary,
        )?;
        Some(Rank {
            fit,
            backup: self.settings.backup,
        })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.settings
            .max_connections
            .is_some_and(|max| self.sessions >= max)
    }

    /// In parts of [`Health::FULL`], so that slow start has steps to take.
    pub(crate) fn weight(&self, now: Moment, slow_start: Duration) -> u64 {
        u64::from(self.settings.weight) * self.health.share(now, slow_start)
    }

    /// Its weight when it is not in slow start.
    pub(crate) fn full_weight(&self) -> u64 {
        u64::from(self.settings.weight) * Health::FULL
    }

    /// Sessions from everybody, as it published, and what has come and gone from here since; if it did.
    pub(crate) fn everybodys_sessions(&self) -> Option<u64> {
        let then = self.everybodys?;
        let others = u64::from(then.sessions).saturating_sub(u64::from(then.from_here));
        Some(others + u64::from(self.sessions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{Lag, Target};
    use crate::settings::Checks;

    const LAG: Lag = Lag {
        bytes: None,
        time: None,
    };

    fn member() -> Member {
        let mut member = Member::new(EndpointId(1), Endpoint::new("a"), Moment::START);
        member.health.passed(Moment::START, &Checks::default());
        member
    }

    fn any() -> Listener {
        Listener::new(Target::Any)
    }

    #[test]
    fn it_gets_sessions_only_if_nothing_speaks_against_it() {
        assert!(member().rank(&any()).is_some());
        let spoilers: [fn(&mut Member); 5] = [
            |m| m.drained = true,
            |m| m.published = Availability::Refusing,
            |m| m.distrusted = true,
            |m| m.settings.weight = 0,
            |m| m.health = Health::new(Moment::START),
        ];
        for spoil in spoilers {
            let mut member = member();
            spoil(&mut member);
            assert_eq!(member.rank(&any()), None, "{member:?}");
        }
    }

    #[test]
    fn a_backup_replica_is_better_than_a_primary_for_those_who_read() {
        let listener = Listener {
            fallback_to_primary: true,
            ..Listener::new(Target::Replica)
        };
        let rank = |role, backup| {
            let mut member = member();
            member.role = role;
            member.settings.backup = backup;
            member.rank(&listener).unwrap()
        };
        let replica = Role::Replica { lag: LAG };
        let primary = Role::Primary { timeline: 1 };
        let ranks = [
            rank(replica, false),
            rank(replica, true),
            rank(primary, false),
            rank(primary, true),
        ];
        assert!(ranks.is_sorted());
    }

    #[test]
    fn sessions_since_its_report_are_added_to_those_it_published() {
        let mut member = member();
        member.sessions = 5;
        assert_eq!(member.everybodys_sessions(), None);
        let report = Report {
            sessions: Some(20),
            ..Report::default()
        };
        member.note(Moment::START, &report);
        member.sessions = 7;
        assert_eq!(member.everybodys_sessions(), Some(22));
        member.sessions = 1;
        assert_eq!(member.everybodys_sessions(), Some(16));
    }

    #[test]
    fn a_published_count_that_cannot_be_is_no_underflow() {
        let mut member = member();
        member.sessions = 5;
        let report = Report {
            sessions: Some(0),
            ..Report::default()
        };
        member.note(Moment::START, &report);
        assert_eq!(member.everybodys_sessions(), Some(5));
    }
}
