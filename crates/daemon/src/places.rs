//! A bounded number of places for connections that have not begun what they came for.
//!
//! Whoever comes gets a place. When none is free, the source that holds most gives up its oldest
//! one: a connection that gets on with it is gone before it is the oldest, and a source that fills
//! all places takes them from itself. What a source is, and what becomes of a connection that has
//! lost its place, is for who keeps the places.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::Seldom;

/// The network that a peer by TCP is in: its address, or of IPv6 the first 64 bits, which is what
/// one host can have to itself (RFC 4291, section 2.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let mask = u128::MAX << 64;
                Self(Ipv6Addr::from_bits(address.to_bits() & mask).into())
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// Places for connections of sources `S`.
#[derive(Debug)]
pub struct Places<S> {
    most: usize,
    taken: Mutex<Taken<S>>,
    log: Seldom,
}

#[derive(Debug)]
struct Taken<S> {
    /// By number, so from the oldest to the newest.
    places: BTreeMap<u64, (S, Arc<Notify>)>,
    counts: HashMap<S, usize>,
    next: u64,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub struct Place<S: Hash + Eq> {
    places: Arc<Places<S>>,
    number: u64,
    lost: Arc<Notify>,
}

impl<S: Hash + Eq + Clone> Places<S> {
    /// So many places, and one at least.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            taken: Mutex::new(Taken {
                places: BTreeMap::new(),
                counts: HashMap::new(),
                next: 0,
            }),
            log: Seldom::default(),
        }
    }

    /// A place for a connection from this source. Another may lose its place for it.
    pub fn enter(self: &Arc<Self>, source: S) -> Place<S> {
        let mut taken = self.taken();
        let lost = taken.places.len() >= self.most && taken.give_up();
        let number = taken.next;
        taken.next += 1;
        let notify = Arc::new(Notify::new());
        *taken.counts.entry(source.clone()).or_default() += 1;
        taken.places.insert(number, (source, notify.clone()));
        drop(taken);
        if lost {
            self.tell(
                "all places of connections that have not begun are taken: the oldest are closed",
            );
        }
        Place {
            places: self.clone(),
            number,
            lost: notify,
        }
    }

    /// Has one connection lose its place, where there is one.
    pub fn give_up(&self) {
        if self.taken().give_up() {
            self.tell("there are too many connections: the oldest that have not begun are closed");
        }
    }

    fn tell(&self, why: &'static str) {
        if let Some(closed) = self.log.note(1) {
            tracing::warn!(closed, "{why}");
        }
    }
}

impl<S> Places<S> {
    fn taken(&self) -> MutexGuard<'_, Taken<S>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Hash + Eq + Clone> Place<S> {
    /// From now on it is held by this source: it is known better than by where it comes from.
    pub fn is_held_by(&self, source: S) {
        let mut taken = self.places.taken();
        if let Some((held_by, _)) = taken.places.get_mut(&self.number) {
            let before = std::mem::replace(held_by, source.clone());
            taken.forget(&before);
            *taken.counts.entry(source).or_default() += 1;
        }
    }

    /// Returns when the place was lost to another connection.
    pub async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl<S: Hash + Eq> Drop for Place<S> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some((source, _)) = taken.places.remove(&self.number) {
            taken.forget(&source);
        }
    }
}

impl<S: Hash + Eq> Taken<S> {
    /// The source with most places loses its oldest one. False when there is none.
    fn give_up(&mut self) -> bool {
        let most = self.counts.values().max().copied();
        let oldest = self.places.iter().find_map(|(number, (source, _))| {
            (self.counts.get(source).copied() == most).then_some(*number)
        });
        match oldest.and_then(|number| self.places.remove(&number)) {
            None => false,
            Some((source, lost)) => {
                self.forget(&source);
                lost.notify_one();
                true
            }
        }
    }

    fn forget(&mut self, source: &S) {
        if let Some(count) = self.counts.get_mut(source) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a place has been lost by now.
    async fn is_lost<S: Hash + Eq + Clone>(place: &Place<S>) -> bool {
        tokio::select! {
            biased;
            () = place.lost() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn the_source_with_most_places_gives_up_its_oldest() {
        let places = Arc::new(Places::new(4));
        let alone = places.enter("alone");
        let many = ["many"; 3].map(|source| places.enter(source));
        assert!(!is_lost(&many[0]).await);
        let newcomer = places.enter("new");
        assert!(is_lost(&many[0]).await);
        // Of two that have as many, the oldest: and nobody else has lost anything.
        drop(places.enter("new"));
        assert!(is_lost(&many[1]).await);
        for kept in [&alone, &many[2], &newcomer] {
            assert!(!is_lost(kept).await);
        }
        drop((alone, many, newcomer));
        assert!(places.taken().places.is_empty() && places.taken().counts.is_empty());
    }

    #[tokio::test]
    async fn a_place_that_is_free_again_is_taken_from_nobody() {
        let places = Arc::new(Places::new(2));
        let first = places.enter(1);
        drop(places.enter(1));
        let second = places.enter(1);
        assert!(!is_lost(&first).await && !is_lost(&second).await);
        places.give_up();
        assert!(is_lost(&first).await && !is_lost(&second).await);
    }

    #[tokio::test]
    async fn who_is_known_better_counts_as_who_it_is() {
        let places = Arc::new(Places::new(3));
        let known = places.enter("an address");
        known.is_held_by("a client");
        let others = [0; 2].map(|_| places.enter("an address"));
        let _newcomer = places.enter("another address");
        assert!(is_lost(&others[0]).await && !is_lost(&known).await);
    }

    #[test]
    fn a_host_is_one_network_however_many_addresses_it_takes() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
    }
}
