//! What endpoints are asked, and what they say: asked or by themselves, or not at all.

use std::time::Instant;

use crate::balancer::{Balancer, Outcome, event};
use crate::clock::Moment;
use crate::event::{Change, Check, EndpointId, Output};
use crate::health::Failure;
use crate::role::{Report, Role};
use crate::schedule::Due;

impl Balancer {
    /// Does what is due: starts checks, ends those without an answer, forgets what is too old, lets go
    /// whoever has queued for too long.
    pub fn tick(&mut self, now: Instant) {
        let now = self.advance(now);
        for place in 0..self.members.len() {
            if self.agenda[place] <= now {
                self.attend(now, place);
            }
        }
        for choosing in &mut self.listeners {
            while let Some(ticket) = choosing.queue.expire(now) {
                self.outputs.push_back(Output::Expired(ticket));
            }
        }
        self.grant();
    }

    /// A check has ended. One that ends after its time-out is ignored.
    pub fn checked(&mut self, now: Instant, check: &Check, outcome: Outcome) {
        let now = self.advance(now);
        let Some(place) = self.place(check.endpoint) else {
            return;
        };
        let member = &mut self.members[place];
        if !member.schedule.finish(check.serial) {
            return;
        }
        let passed = outcome != Outcome::Failed;
        if passed && member.health.passed(now, &self.checks) {
            self.outputs.push_back(event(member, Change::Up));
        }
        match outcome {
            Outcome::Passed => {}
            Outcome::Reported(report) => self.take_report(now, place, &report),
            Outcome::Failed => self.fail(now, place, Failure::Check),
        }
        self.plan(now, place);
        self.schedule(place);
        self.grant();
    }

    /// An endpoint has published something without being asked. That answers for a check.
    pub fn reported(&mut self, now: Instant, endpoint: EndpointId, report: Report) {
        let now = self.advance(now);
        let Some(place) = self.place(endpoint) else {
            return;
        };
        let member = &mut self.members[place];
        if member.health.spoke(now, &self.checks) {
            self.outputs.push_back(event(member, Change::Up));
        }
        let calm = member.health.is_beyond_doubt();
        member
            .schedule
            .postpone(now, &self.checks, calm, &mut self.random);
        self.take_report(now, place, &report);
        self.schedule(place);
        self.grant();
    }

    /// What an endpoint publishes has broken off: it is asked at once, and that counts as a failed check.
    pub fn fell_silent(&mut self, now: Instant, endpoint: EndpointId) {
        let now = self.advance(now);
        if let Some(place) = self.place(endpoint) {
            self.suspect(now, place, Failure::Check);
            self.grant();
        }
    }

    fn attend(&mut self, now: Moment, place: usize) {
        if self.members[place].schedule.due(now) == Due::TimeOut {
            self.members[place].schedule.give_up();
            self.fail(now, place, Failure::TimeOut);
            self.plan(now, place);
        }
        if self.members[place].schedule.due(now) == Due::Check {
            self.start_check(now, place);
        }
        let until = self.members[place].believed_until(self.checks.memory());
        if until.is_some_and(|until| until <= now) {
            self.turn_into(place, Role::Unknown);
        }
        self.schedule(place);
    }

    fn start_check(&mut self, now: Moment, place: usize) {
        self.serial += 1;
        let member = &mut self.members[place];
        member.schedule.start(now, self.serial, self.checks.timeout);
        self.outputs.push_back(Output::Check(Check {
            endpoint: member.id,
            name: member.name.clone(),
            serial: self.serial,
        }));
    }

    fn take_report(&mut self, now: Moment, place: usize, report: &Report) {
        let member = &mut self.members[place];
        let (before, objected) = (member.availability(), member.objection);
        member.note(now, report);
        self.tell_availability(place, before);
        self.turn_into(place, report.role);
        if report.objection != objected {
            self.judge();
        }
    }
}
