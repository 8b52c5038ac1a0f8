//! Who is balanced over, and for whom: both can change while sessions run.

use std::collections::HashMap;
use std::time::Instant;

use crate::balancer::{Balancer, Choosing, ListenerId, event};
use crate::error::Error;
use crate::event::{Change, EndpointId};
use crate::member::Member;
use crate::policy::Turns;
use crate::queue::Queue;
use crate::settings::{self, Endpoint, Listener};

impl Balancer {
    /// Adds a listener, which chooses for itself from the same endpoints.
    pub fn listen(&mut self, listener: Listener) -> ListenerId {
        let mut turns = Turns::default();
        let places: Vec<_> = self
            .members
            .iter()
            .map(|m| (None, m.full_weight()))
            .collect();
        turns.arrange(&places, &mut self.random);
        self.listeners.push(Choosing {
            listener,
            turns,
            queue: Queue::default(),
        });
        ListenerId(self.listeners.len() - 1)
    }

    /// Replaces the list. Endpoints whose names are in both keep all that is known of them and their
    /// sessions; leases and checks of those that are gone are ignored when they come back.
    ///
    /// # Errors
    /// A name twice, or a weight too high. The old list stays.
    pub fn replace(&mut self, now: Instant, endpoints: &[Endpoint]) -> Result<(), Error> {
        settings::validate(endpoints)?;
        let now = self.advance(now);
        let mut fresh: HashMap<&str, &Endpoint> =
            endpoints.iter().map(|e| (e.name.as_str(), e)).collect();
        let mut places = Vec::with_capacity(endpoints.len());
        let mut members = Vec::with_capacity(endpoints.len());
        for (old, mut member) in self.members.drain(..).enumerate() {
            match fresh.remove(&*member.name) {
                Some(settings) => {
                    member.settings = settings.clone();
                    places.push((Some(old), member.full_weight()));
                    members.push(member);
                }
                None => self.outputs.push_back(event(&member, Change::Removed)),
            }
        }
        for endpoint in endpoints {
            if fresh.contains_key(endpoint.name.as_str()) {
                self.serial += 1;
                let member = Member::new(EndpointId(self.serial), endpoint.clone(), now);
                places.push((None, member.full_weight()));
                members.push(member);
            }
        }
        self.members = members;
        self.agenda = vec![now; self.members.len()];
        for choosing in &mut self.listeners {
            choosing.turns.arrange(&places, &mut self.random);
        }
        self.judge();
        for place in 0..self.members.len() {
            self.schedule(place);
        }
        self.grant();
        Ok(())
    }

    /// An operator takes an endpoint out of use, or puts it back. Sessions that it has go on.
    pub fn drain(&mut self, now: Instant, endpoint: EndpointId, drained: bool) {
        self.advance(now);
        if let Some(place) = self.place(endpoint) {
            let before = self.members[place].availability();
            self.members[place].drained = drained;
            self.tell_availability(place, before);
            self.grant();
        }
    }
}
