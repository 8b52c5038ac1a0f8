//! Sessions of one listener that wait for a place: bounded, first come first served. Who gets a place is
//! the balancer's.

use std::collections::VecDeque;

use crate::clock::Moment;
use crate::event::EndpointId;

/// A session's place in the queue. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) ticket: Ticket,
    /// Endpoints that the session has tried.
    pub(crate) excluded: Vec<EndpointId>,
    pub(crate) deadline: Moment,
}

/// In the order of tickets, which is that of deadlines too.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiters: VecDeque<Waiter>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(crate) fn push(&mut self, waiter: Waiter) {
        self.waiters.push_back(waiter);
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Waiter> {
        self.waiters.get(place)
    }

    pub(crate) fn remove(&mut self, place: usize) {
        self.waiters.remove(place);
    }

    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.waiters.front().map(|waiter| waiter.deadline)
    }

    /// The first in the queue, if its time is over.
    pub(crate) fn expire(&mut self, now: Moment) -> Option<Ticket> {
        let over = self.next_due()? <= now;
        over.then(|| self.waiters.pop_front().map(|waiter| waiter.ticket))?
    }

    /// Whether it was in the queue.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> bool {
        let place = self.waiters.binary_search_by_key(&ticket, |w| w.ticket);
        place.is_ok_and(|place| self.waiters.remove(place).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn queue() -> Queue {
        let mut queue = Queue::default();
        for number in 1..=3 {
            queue.push(Waiter {
                ticket: Ticket(number),
                excluded: Vec::new(),
                deadline: at(number),
            });
        }
        queue
    }

    fn at(seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn who_waited_long_enough_leaves_in_order() {
        let mut queue = queue();
        assert_eq!(queue.expire(at(0)), None);
        assert_eq!(queue.expire(at(2)), Some(Ticket(1)));
        assert_eq!(queue.expire(at(2)), Some(Ticket(2)));
        assert_eq!(queue.expire(at(2)), None);
        assert_eq!(queue.next_due(), Some(at(3)));
    }

    #[test]
    fn whoever_leaves_is_gone_and_the_order_stays() {
        let mut queue = queue();
        assert!(queue.leave(Ticket(2)));
        assert!(!queue.leave(Ticket(2)));
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.get(1).map(|w| w.ticket), Some(Ticket(3)));
    }
}
