//! The sessions that run: where each goes, since when, and whose it is. For operators, and for
//! cancel requests, which must find the server of the session that they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use control::SessionsView;
use serde::Serialize;
use tunnel::rfc3339;
use wire::frame::{FrameError, Header};
use zeroize::Zeroizing;

/// All of them.
#[derive(Debug, Default)]
pub struct Running {
    table: Mutex<Table>,
    /// Of a key of its own, drawn at the start: nobody outside can tell a secret by it.
    hash: RandomState,
}

#[derive(Debug, Default)]
struct Table {
    begun: u64,
    sessions: BTreeMap<u64, Session>,
}

#[derive(Debug)]
struct Session {
    server: String,
    server_id: String,
    since: SystemTime,
    application: String,
    listener: String,
    /// The database's number for it, once that has said it,
    process: Option<u32>,
    /// and by what its secret is known again. The secret itself is not kept.
    secret: u64,
    /// The address of its database, once the server has been asked for it.
    database: Option<String>,
}

/// One session as operators see it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// The server's address,
    pub server: String,
    /// and who answers there, by its certificate.
    pub server_id: String,
    /// The address of the database behind it, where the server said it.
    pub database: Option<String>,
    /// What that calls the session (`pg_backend_pid()`), once it has let it in.
    pub process: Option<u32>,
    /// When it began there, after RFC 3339.
    pub since: String,
    /// Who connected: an address, or a user.
    pub application: String,
    /// Where.
    pub listener: String,
}

/// A session's place in the table; it leaves it when this is dropped.
#[derive(Debug)]
pub struct Entered<'a> {
    running: &'a Running,
    number: u64,
}

impl Running {
    /// Enters a session that has begun on a server: an address, and whose certificate is shown there.
    pub fn enter(
        &self,
        (server, server_id): (&str, &str),
        application: String,
        listener: &str,
    ) -> Entered<'_> {
        let mut table = self.lock();
        table.begun += 1;
        let number = table.begun;
        let session = Session {
            server: server.to_owned(),
            server_id: server_id.to_owned(),
            since: SystemTime::now(),
            application,
            listener: listener.to_owned(),
            process: None,
            secret: 0,
            database: None,
        };
        table.sessions.insert(number, session);
        Entered {
            running: self,
            number,
        }
    }

    /// All sessions, the oldest first.
    #[must_use]
    pub fn view(&self) -> Vec<View> {
        let view = |session: &Session| View {
            server: session.server.clone(),
            server_id: session.server_id.clone(),
            database: session.database.clone(),
            process: session.process,
            since: rfc3339(session.since),
            application: session.application.clone(),
            listener: session.listener.clone(),
        };
        self.lock().sessions.values().map(view).collect()
    }

    /// The addresses of the servers that have a session of this number and secret. Databases make both by
    /// themselves, so that there may be two.
    #[must_use]
    pub fn servers_of(&self, process: u32, secret: &[u8]) -> Vec<String> {
        let secret = self.hash.hash_one(secret);
        self.servers_where(|session| session.process == Some(process) && session.secret == secret)
    }

    /// The addresses of the servers that can be asked which databases sessions are on.
    #[must_use]
    pub fn on_unknown_databases(&self) -> Vec<String> {
        self.servers_where(|session| session.process.is_some() && session.database.is_none())
    }

    /// Takes note of what a server says of its sessions. Two databases behind it may call theirs the
    /// same: then it is not known which is which.
    pub fn learn(&self, view: &SessionsView) {
        let mut databases = BTreeMap::new();
        for it in &view.sessions {
            let database = databases.entry(it.process).or_insert(Some(&it.database));
            if *database != Some(&it.database) {
                *database = None;
            }
        }
        let mut table = self.lock();
        let here = table.sessions.values_mut();
        for session in here.filter(|it| it.database.is_none() && it.server_id == view.server) {
            let database = session.process.and_then(|it| databases.get(&it));
            session.database = database.copied().flatten().cloned();
        }
    }

    fn servers_where(&self, holds: impl Fn(&Session) -> bool) -> Vec<String> {
        let table = self.lock();
        let sessions = table.sessions.values().filter(|session| holds(session));
        let servers: BTreeSet<_> = sessions.map(|session| session.server.clone()).collect();
        servers.into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered<'_> {
    /// Takes note of BackendKeyData: the database numbers it so, and by the secret its queries are cancelled.
    pub fn key_data(&self, body: &[u8]) {
        let Some((process, secret)) = body.split_first_chunk() else {
            return;
        };
        let process = u32::from_be_bytes(*process);
        let secret = self.running.hash.hash_one(secret);
        if let Some(session) = self.running.lock().sessions.get_mut(&self.number) {
            session.process = Some(process);
            session.secret = secret;
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.running.lock().sessions.remove(&self.number);
    }
}

/// Follows what a database says at first, up to its BackendKeyData or its first ReadyForQuery.
#[derive(Debug, Default)]
pub struct Greeting {
    /// The front of a message that has not come whole.
    pending: Vec<u8>,
    is_over: bool,
}

/// Longest message that is looked at; a longer one is none that comes before.
const MAX_GREETING: usize = 64 << 10;

impl Greeting {
    /// Takes note of bytes that pass. Gives the body of BackendKeyData, once.
    ///
    /// # Errors
    /// A length that cannot be.
    pub fn pass(&mut self, bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        if self.is_over {
            return Ok(None);
        }
        self.pending.extend_from_slice(bytes);
        let mut rest = self.pending.as_slice();
        let mut key_data = None;
        while let Some(header) = Header::parse(rest)?
            && !self.is_over
        {
            let Some((message, behind)) = rest.split_at_checked(header.total()) else {
                self.is_over = header.total() > MAX_GREETING;
                break;
            };
            if header.tag == b'K' {
                let body = message.get(Header::LEN..);
                key_data = body.map(|body| Zeroizing::new(body.to_vec()));
            }
            self.is_over = matches!(header.tag, b'K' | b'Z');
            rest = behind;
        }
        self.pending = match self.is_over {
            true => Vec::new(),
            false => rest.to_vec(),
        };
        Ok(key_data)
    }
}

#[cfg(test)]
mod tests {
    use control::SessionView;

    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    #[test]
    fn a_session_is_there_from_its_beginning_to_its_end() {
        let running = Running::default();
        let one = running.enter(("a:1", "a"), "127.0.0.1:5".to_owned(), "here");
        let two = running.enter(("b:1", "b"), "uid 7".to_owned(), "here");
        let other = running.enter(("c:1", "c"), String::new(), "here");
        one.key_data(b"\0\0\0\x07secret");
        two.key_data(b"\0\0\0\x07secret");
        other.key_data(b"\0\0\0\x07another");
        assert_eq!(running.servers_of(7, b"secret"), ["a:1", "b:1"]);
        assert_eq!(running.servers_of(7, b"another"), ["c:1"]);
        assert_eq!(running.servers_of(7, b"none"), [""; 0]);
        assert_eq!(running.servers_of(8, b"secret"), [""; 0]);
        drop(other);
        drop(one);
        assert_eq!(running.servers_of(7, b"secret"), ["b:1"]);
        let view = running.view();
        assert_eq!(view.len(), 1);
        assert_eq!(
            (&*view[0].application, &*view[0].listener),
            ("uid 7", "here")
        );
    }

    #[test]
    fn what_a_server_says_of_its_sessions_is_taken_over_where_it_can_be_told_apart() {
        let running = Running::default();
        let enter = |server_id, process: u32| {
            let entered = running.enter(("a:1", server_id), String::new(), "here");
            entered.key_data(&process.to_be_bytes());
            entered
        };
        let _sessions = [enter("a", 1), enter("a", 2), enter("b", 1)];
        assert_eq!(running.on_unknown_databases(), ["a:1"]);
        let said = |process, database: &str| SessionView {
            client: "app".to_owned(),
            database: database.to_owned(),
            process,
        };
        running.learn(&SessionsView {
            server: "a".to_owned(),
            sessions: vec![
                said(1, "d:1"),
                said(2, "d:1"),
                said(2, "d:2"),
                said(3, "d:1"),
            ],
        });
        let known: Vec<_> = running.view().into_iter().map(|it| it.database).collect();
        assert_eq!(known, [Some("d:1".to_owned()), None, None]);
        assert_eq!(running.on_unknown_databases(), ["a:1"]);
    }

    #[test]
    fn the_databases_key_data_are_found_however_their_bytes_come() {
        let greeting = [
            message(b'R', &[0; 4]),
            message(b'S', b"a\0b\0"),
            message(b'K', &[0, 0, 1, 2, 9, 9, 9, 9]),
            message(b'Z', b"I"),
            // Another message that looks like it, and what is no message.
            message(b'K', &[5; 8]),
            vec![0xff; 9],
        ];
        let greeting = greeting.concat();
        for size in [1, 2, 3, 7, greeting.len()] {
            let mut follower = Greeting::default();
            let found: Vec<_> = greeting
                .chunks(size)
                .filter_map(|chunk| follower.pass(chunk).unwrap())
                .collect();
            assert_eq!(found.len(), 1, "by {size}");
            assert_eq!(found[0].as_slice(), [0, 0, 1, 2, 9, 9, 9, 9], "by {size}");
        }
    }

    #[test]
    fn a_refused_login_has_no_number() {
        let mut greeting = Greeting::default();
        let refused = message(b'E', b"SFATAL\0\0");
        assert_eq!(greeting.pass(&refused), Ok(None));
        assert!(greeting.pass(&[b'R', 0, 0, 0, 1]).is_err());
    }
}
