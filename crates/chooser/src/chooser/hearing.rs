//! What endpoints say, asked or by themselves, or that they do not.

use std::sync::Arc;
use std::time::Instant;

use balancer::{Check, EndpointId, Outcome};
use control::Standing;

use crate::chooser::{Checker, Chooser, Inner, Noted};

impl<C: Checker> Chooser<C> {
    /// An endpoint says this of itself, or that it is still there.
    pub fn heard(self: &Arc<Self>, name: &str, standing: Option<&Standing>) {
        self.with(|inner, now| {
            if let Some(endpoint) = inner.endpoint(name, now) {
                inner.heard.insert(endpoint, now);
                let report = inner.databases.report(now, endpoint, standing);
                inner.balancer.reported(now, endpoint, report);
            }
        });
    }

    /// An endpoint has broken off, for this reason.
    pub fn fell_silent(self: &Arc<Self>, name: &str, why: &str) {
        self.with(|inner, now| {
            if let Some(endpoint) = inner.endpoint(name, now) {
                inner.heard.remove(&endpoint);
                inner.causes.insert(endpoint, Noted::now(why));
                inner.databases.fell_silent(endpoint);
                inner.balancer.fell_silent(now, endpoint);
                // One that was down already is no news to the balancer.
                self.judge(inner, now);
            }
        });
    }

    /// A check has ended: what the endpoint says of itself, if it does, or why it did not answer.
    pub fn checked(self: &Arc<Self>, check: &Check, answer: Result<Option<Standing>, String>) {
        let endpoint = check.endpoint;
        if answer.is_err() {
            self.counts.check_failed(&check.name);
            self.cast_doubt(endpoint);
        }
        self.with(|inner, now| {
            let outcome = match answer {
                Ok(standing) => {
                    Outcome::Reported(inner.databases.report(now, endpoint, standing.as_ref()))
                }
                Err(why) => {
                    inner.causes.insert(endpoint, Noted::now(why));
                    Outcome::Failed
                }
            };
            inner.balancer.checked(now, check, outcome);
        });
    }
}

impl<C: Checker> Inner<C> {
    fn endpoint(&mut self, name: &str, now: Instant) -> Option<EndpointId> {
        let mut listed = self.balancer.endpoints(now);
        let found = listed.find(|it| &*it.name == name);
        found.map(|it| it.endpoint)
    }
}
