//! Which session a cancel request means, and that its database hears of it.
//!
//! BackendKeyData passes unchanged, so the pair in it names the session here too. A cancel counts
//! only if it comes from the client whose session it is. Where no session here is meant, the process before
//! this one is asked while it lives, and then `peers`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::{CancelOutcome, CancelRequest, SessionView};
use envelope::ClientId;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::flow::Flow;
use crate::shared::Shared;

/// The sessions that can be cancelled.
#[derive(Default)]
pub struct Cancels {
    sessions: Mutex<HashMap<u32, Vec<Arc<Entry>>>>,
}

struct Entry {
    secret: Zeroizing<Vec<u8>>,
    session: Cancellable,
}

/// A session that can be cancelled.
#[derive(Clone)]
pub struct Cancellable {
    /// Whose it is.
    pub client: ClientId,
    /// What its directions share.
    pub flow: Arc<Flow>,
    /// The name of its database.
    pub database: String,
}

/// A session's entry; removed when dropped.
pub struct Registered {
    cancels: Arc<Cancels>,
    pid: u32,
    entry: Arc<Entry>,
}

impl Cancels {
    /// Makes a session known by the pair of its BackendKeyData.
    pub fn register(self: &Arc<Self>, pid: u32, secret: &[u8], session: Cancellable) -> Registered {
        let entry = Arc::new(Entry {
            secret: Zeroizing::new(secret.to_vec()),
            session,
        });
        self.lock().entry(pid).or_default().push(entry.clone());
        Registered {
            cancels: self.clone(),
            pid,
            entry,
        }
    }

    /// The session that a cancel request of this client means, if there is one.
    #[must_use]
    pub fn find(&self, pid: u32, secret: &[u8], client: &ClientId) -> Option<Cancellable> {
        let sessions = self.lock();
        let means = |entry: &&Arc<Entry>| {
            bool::from(entry.secret.as_slice().ct_eq(secret)) && entry.session.client == *client
        };
        sessions
            .get(&pid)?
            .iter()
            .find(means)
            .map(|entry| entry.session.clone())
    }

    /// The sessions, of one client or of all.
    #[must_use]
    pub fn view(&self, of: Option<&ClientId>) -> Vec<SessionView> {
        let sessions = self.lock();
        let entries = sessions
            .iter()
            .flat_map(|(pid, entries)| entries.iter().map(|entry| (*pid, &entry.session)));
        entries
            .filter(|(_, session)| of.is_none_or(|client| session.client == *client))
            .map(|(process, session)| SessionView {
                client: session.client.to_string(),
                database: session.database.clone(),
                process,
            })
            .collect()
    }

    /// How many each client has.
    #[must_use]
    pub fn by_client(&self) -> HashMap<ClientId, u64> {
        let sessions = self.lock();
        let mut count = HashMap::new();
        for entry in sessions.values().flatten() {
            *count.entry(entry.session.client.clone()).or_default() += 1;
        }
        count
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Vec<Arc<Entry>>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut sessions = self.cancels.lock();
        if let Some(entries) = sessions.get_mut(&self.pid) {
            entries.retain(|entry| !Arc::ptr_eq(entry, &self.entry));
            if entries.is_empty() {
                sessions.remove(&self.pid);
            }
        }
    }
}

/// What answers one question.
type Answering = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// Sends a cancel request on to the database of the session that it means, and returns when PostgreSQL
/// has dealt with it; false where no session here or of the process before is meant. Not to be dropped
/// before: the session waits.
pub async fn deliver(client: &ClientId, pid: u32, secret: &[u8], shared: &Shared) -> bool {
    let Some(session) = shared.cancels.find(pid, secret, client) else {
        return by_predecessor(client, pid, secret, shared).await;
    };
    shared.metrics.cancels.inc();
    let in_flight = session.flow.cancel_begins();
    let Some(_turn) = in_flight.turn().await else {
        return true;
    };
    let request = wire::originate::cancel_request(pid, secret);
    if let Some(node) = shared.databases.at(&session.database)
        && let Err(error) = node.database.cancel(&request).await
    {
        tracing::warn!(%error, "a cancel request did not reach the database");
    }
    true
}

async fn by_predecessor(client: &ClientId, pid: u32, secret: &[u8], shared: &Shared) -> bool {
    let request = CancelRequest {
        client: client.to_string(),
        process: pid,
        secret: STANDARD.encode(secret),
    };
    let Ok(question) = serde_json::to_string(&request) else {
        return false;
    };
    let answer = shared.predecessor.ask(question).await;
    let outcome = answer.and_then(|answer| serde_json::from_str(&answer).ok());
    outcome.is_some_and(|outcome: CancelOutcome| outcome.found)
}

/// Answers the process that has taken this one's place: delivers the cancel requests that it asks about.
pub fn answer(shared: Arc<Shared>) -> impl Fn(String) -> Answering {
    move |question| {
        let shared = shared.clone();
        Box::pin(async move {
            let request: CancelRequest = serde_json::from_str(&question).ok()?;
            let client = request.client.parse().ok()?;
            let secret = STANDARD.decode(&request.secret).ok()?;
            let found = deliver(&client, request.process, &secret, &shared).await;
            serde_json::to_string(&CancelOutcome { found }).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_client_with_the_whole_secret_finds_the_session() {
        let cancels = Arc::new(Cancels::default());
        let (app, other): (ClientId, ClientId) = ("app".parse().unwrap(), "other".parse().unwrap());
        let flow = Arc::new(Flow::default());
        let session = Cancellable {
            client: app.clone(),
            flow: flow.clone(),
            database: "d:1".to_owned(),
        };
        let registered = cancels.register(7, b"secret", session);
        assert!(
            cancels
                .find(7, b"secret", &app)
                .is_some_and(|found| Arc::ptr_eq(&found.flow, &flow))
        );
        assert!(cancels.find(7, b"secret", &other).is_none());
        assert!(cancels.find(7, b"secre", &app).is_none());
        assert!(cancels.find(7, b"secreT", &app).is_none());
        assert!(cancels.find(8, b"secret", &app).is_none());
        drop(registered);
        assert!(cancels.find(7, b"secret", &app).is_none());
        assert!(cancels.lock().is_empty());
    }
}
