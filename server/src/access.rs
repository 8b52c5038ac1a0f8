//! Who opened what: counts of values opened and refused, by owner, for each session and in all.
//! Never a value. What is counted of all owners together, for metrics, is in `metrics`.

mod export;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use control::{OwnerAccess, SessionAccess};
use envelope::{ClientId, Owner};
use keystore::Timestamp;

use crate::metrics::Reason;

pub use export::ByOwner;

/// Owners that are counted one by one in a session; values of further ones count as nobody's.
const SESSION_OWNERS: usize = 20;
/// The same for the server in all.
const ALL_OWNERS: usize = 2_000;
/// Sessions that are listed at once, so that an answer stays below what is read of one.
const LISTED: usize = 500;

/// What one row, or more, has come to.
#[derive(Debug, Default)]
pub struct Tallied(HashMap<Option<Owner>, Counts>);

/// Values of one owner.
#[derive(Debug, Clone, Default)]
struct Counts {
    opened: u64,
    refused: Vec<(Reason, u64)>,
}

/// Values of one owner, and when.
#[derive(Debug, Clone)]
struct Entry {
    counts: Counts,
    first: Timestamp,
    last: Timestamp,
}

impl Tallied {
    /// One more value of this owner was opened.
    pub fn opened(&mut self, owner: &Owner) {
        self.of(Some(owner)).opened += 1;
    }

    /// One more value was refused; `None` if it is not known whose it is.
    pub fn refused(&mut self, owner: Option<&Owner>, reason: Reason) {
        self.of(owner).refused(reason, 1);
    }

    fn of(&mut self, owner: Option<&Owner>) -> &mut Counts {
        self.0.entry(owner.cloned()).or_default()
    }
}

impl Counts {
    fn refused(&mut self, reason: Reason, count: u64) {
        match self.refused.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, known)) => *known += count,
            None => self.refused.push((reason, count)),
        }
    }

    /// Whether some of it shows that the session's client may open for the owner.
    fn show_permission(&self) -> bool {
        let shows = |(reason, _): &(Reason, u64)| reason.comes_after_permission();
        self.opened > 0 || self.refused.iter().any(shows)
    }

    fn add(&mut self, more: &Counts) {
        self.opened += more.opened;
        for (reason, count) in &more.refused {
            self.refused(*reason, *count);
        }
    }
}

impl Entry {
    fn add(&mut self, more: &Entry) {
        self.counts.add(&more.counts);
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
    }

    fn told_of(&self, owner: Option<&Owner>) -> OwnerAccess {
        let refused = self.counts.refused.iter();
        OwnerAccess {
            owner: owner.map(|owner| format!("{}/{}", owner.kind(), owner.id())),
            opened: self.counts.opened,
            refused: refused
                .map(|(reason, count)| (reason.name().to_owned(), *count))
                .collect(),
            first: self.first.to_string(),
            last: self.last.to_string(),
        }
    }
}

fn sorted(told: impl Iterator<Item = OwnerAccess>) -> Vec<OwnerAccess> {
    let mut list: Vec<_> = told.collect();
    list.sort_by(|one, other| one.owner.cmp(&other.owner));
    list
}

/// Adds up by owner, for as many owners as it has room for.
#[derive(Debug)]
struct Ledger {
    most: usize,
    entries: Mutex<HashMap<Option<Owner>, Entry>>,
}

impl Ledger {
    fn new(most: usize) -> Self {
        Self {
            most,
            entries: Mutex::default(),
        }
    }

    fn add(&self, tallied: &Tallied, now: Timestamp) {
        let mut entries = self.lock();
        for (owner, counts) in &tallied.0 {
            // One place is kept for all that have none.
            let has_room = entries.len() + 1 < self.most || entries.contains_key(owner);
            let owner = if has_room { owner.clone() } else { None };
            let entry = entries.entry(owner).or_insert_with(|| Entry {
                counts: Counts::default(),
                first: now,
                last: now,
            });
            entry.counts.add(counts);
            entry.last = now;
        }
    }

    /// The owners that `shown` lets through, sorted by name.
    fn read(&self, shown: impl Fn(Option<&Owner>) -> bool) -> Vec<OwnerAccess> {
        let entries = self.lock();
        let shown = entries.iter().filter(|(owner, _)| shown(owner.as_ref()));
        sorted(shown.map(|(owner, entry)| entry.told_of(owner.as_ref())))
    }

    /// All owners as a client may know them: values of those for whom it may not open count as
    /// nobody's, so that it does not learn whose they are.
    fn read_as(&self, client: &ClientId) -> Vec<OwnerAccess> {
        let mut known: HashMap<Option<Owner>, Entry> = HashMap::new();
        for (owner, entry) in self.lock().iter() {
            let may_know = |owner: &Owner| {
                *owner == Owner::Client(client.clone()) || entry.counts.show_permission()
            };
            let owner = owner.clone().filter(may_know);
            known
                .entry(owner)
                .and_modify(|all| all.add(entry))
                .or_insert_with(|| entry.clone());
        }
        let told = |(owner, entry): (&Option<Owner>, &Entry)| entry.told_of(owner.as_ref());
        sorted(known.iter().map(told))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<Owner>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the sessions of a server have opened, and the server in all.
#[derive(Debug)]
pub struct Access {
    all: Ledger,
    sessions: Mutex<HashMap<u64, Arc<Counted>>>,
    next: AtomicU64,
}

/// One session's counts.
#[derive(Debug)]
struct Counted {
    client: ClientId,
    began: Timestamp,
    /// What its database calls it.
    process: OnceLock<u32>,
    ledger: Ledger,
}

/// A session that is counted; its own counts end when it is dropped.
pub struct Counting {
    access: Arc<Access>,
    number: u64,
    counted: Arc<Counted>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            all: Ledger::new(ALL_OWNERS),
            sessions: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }
}

impl Access {
    /// Begins to count for a session of this client.
    #[must_use]
    pub fn begin(self: &Arc<Self>, client: &ClientId) -> Counting {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let counted = Arc::new(Counted {
            client: client.clone(),
            began: Timestamp::now(),
            process: OnceLock::new(),
            ledger: Ledger::new(SESSION_OWNERS),
        });
        self.sessions().insert(number, counted.clone());
        Counting {
            access: self.clone(),
            number,
            counted,
        }
    }

    /// The server's counts by owner: of all of them, or of one client.
    #[must_use]
    pub fn owners(&self, of: Option<&ClientId>) -> Vec<OwnerAccess> {
        let own = of.map(|client| Owner::Client(client.clone()));
        self.all
            .read(|owner| own.is_none() || owner == own.as_ref())
    }

    /// The sessions that run now and have had values opened or refused, by number: all of them, or
    /// one client's; the newest [`LISTED`] if there are more.
    #[must_use]
    pub fn sessions_of(&self, of: Option<&ClientId>) -> Vec<SessionAccess> {
        let sessions: Vec<_> = self
            .sessions()
            .iter()
            .filter(|(_, session)| of.is_none_or(|client| *client == session.client))
            .map(|(number, session)| (*number, session.clone()))
            .collect();
        let access = |(number, session): (u64, Arc<Counted>)| session.access(number, of);
        let mut list: Vec<_> = sessions.into_iter().map(access).collect();
        list.retain(|session| !session.owners.is_empty());
        list.sort_by_key(|session| session.session);
        list.split_off(list.len().saturating_sub(LISTED))
    }

    /// The session of this number, if it still runs.
    #[must_use]
    pub fn session(&self, number: u64) -> Option<SessionAccess> {
        let session = self.sessions().get(&number).cloned()?;
        Some(session.access(number, None))
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<u64, Arc<Counted>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// What of it a client may know, or anybody.
    fn access(&self, number: u64, of: Option<&ClientId>) -> SessionAccess {
        SessionAccess {
            session: number,
            process: self.process.get().copied(),
            client: self.client.to_string(),
            began: self.began.to_string(),
            owners: match of {
                Some(client) => self.ledger.read_as(client),
                None => self.ledger.read(|_| true),
            },
        }
    }
}

impl Counting {
    /// Takes note of what the session's database calls it; it does so once.
    pub fn is_process(&self, process: u32) {
        let _ = self.counted.process.set(process);
    }

    /// Adds what a row has come to.
    pub fn add(&self, tallied: &Tallied) {
        if tallied.0.is_empty() {
            return;
        }
        let now = Timestamp::now();
        self.counted.ledger.add(tallied, now);
        self.access.all.add(tallied, now);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.access.sessions().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str) -> ClientId {
        id.parse().unwrap()
    }

    fn zone(number: usize) -> Owner {
        Owner::Zone(format!("tenant-{number}").parse().unwrap())
    }

    #[test]
    fn values_count_for_their_owner_in_the_session_and_in_all() {
        let access = Arc::new(Access::default());
        let (app, other) = (access.begin(&client("app")), access.begin(&client("other")));
        let mut row = Tallied::default();
        row.opened(&zone(1));
        row.opened(&zone(1));
        row.refused(Some(&zone(1)), Reason::NotTagged);
        row.refused(None, Reason::UnknownKey);
        app.add(&row);
        other.add(&row);

        let in_all = access.owners(None);
        assert_eq!(in_all.len(), 2);
        assert_eq!(in_all[0].owner, None);
        assert_eq!(in_all[0].refused["unknown_key"], 2);
        assert_eq!(in_all[1].owner.as_deref(), Some("zone/tenant-1"));
        assert_eq!((in_all[1].opened, in_all[1].refused["not_tagged"]), (4, 2));
        let sessions = access.sessions_of(None);
        assert_eq!(sessions.len(), 2);
        assert_eq!(
            (sessions[0].client.as_str(), sessions[0].owners[1].opened),
            ("app", 2)
        );
    }

    #[test]
    fn a_client_is_told_its_own_sessions_and_counts() {
        let access = Arc::new(Access::default());
        let (app, other) = (access.begin(&client("app")), access.begin(&client("other")));
        let mut row = Tallied::default();
        row.opened(&zone(1));
        other.add(&row);
        row.opened(&Owner::Client(client("app")));
        app.add(&row);
        let app = client("app");
        assert_eq!(access.sessions_of(Some(&app)).len(), 1);
        assert_eq!(
            access.owners(Some(&app))[0].owner.as_deref(),
            Some("client/app")
        );
        assert_eq!(access.owners(Some(&app)).len(), 1);
        assert!(access.owners(Some(&client("other"))).is_empty());
    }

    #[test]
    fn a_client_is_not_told_whose_the_values_are_that_it_may_not_open() {
        let access = Arc::new(Access::default());
        let app = client("app");
        let session = access.begin(&app);
        let mut row = Tallied::default();
        row.refused(Some(&zone(1)), Reason::NotPermitted);
        row.refused(Some(&zone(2)), Reason::ZoneMode);
        row.refused(Some(&Owner::Client(client("other"))), Reason::NotPermitted);
        row.refused(None, Reason::UnknownKey);
        // May be opened by it, and was not.
        row.refused(Some(&zone(3)), Reason::NotPermitted);
        row.refused(Some(&zone(3)), Reason::NotTagged);
        row.opened(&zone(4));
        row.refused(Some(&Owner::Client(app.clone())), Reason::ZoneMode);
        session.add(&row);

        let told = access.sessions_of(Some(&app)).remove(0).owners;
        let names: Vec<_> = told.iter().map(|one| one.owner.as_deref()).collect();
        let own = [
            Some("client/app"),
            Some("zone/tenant-3"),
            Some("zone/tenant-4"),
        ];
        assert_eq!(names, [&[None], &own[..]].concat());
        let nobodys = &told[0].refused;
        assert_eq!(
            (
                nobodys["not_permitted"],
                nobodys["zone_mode"],
                nobodys["unknown_key"]
            ),
            (2, 1, 1)
        );
        assert_eq!(access.sessions_of(None)[0].owners.len(), 7);
    }

    #[test]
    fn a_session_that_has_ended_counts_in_all_and_is_not_listed() {
        let access = Arc::new(Access::default());
        let session = access.begin(&client("app"));
        let mut row = Tallied::default();
        row.opened(&zone(1));
        session.add(&row);
        drop(session);
        assert!(access.sessions_of(None).is_empty());
        assert_eq!(access.owners(None)[0].opened, 1);
    }

    #[test]
    fn owners_beyond_the_most_that_are_kept_count_as_nobodys() {
        let ledger = Ledger::new(3);
        for number in 1..=5 {
            let mut row = Tallied::default();
            row.opened(&zone(number));
            ledger.add(&row, Timestamp::now());
        }
        let read = ledger.read(|_| true);
        assert_eq!(read.len(), 3);
        assert_eq!((&read[0].owner, read[0].opened), (&None, 3));
    }
}
