//! Changes of keys and rights, felt by sessions that run: each within a second.

mod destroyed;
mod granted;
mod rotated;

use std::time::{Duration, Instant};

use envelope::Recipient;
use harness::http::Request;
use harness::raw::{Session, literal, rows};
use harness::{Chain, Keys, Link};
use keystore::{MasterKey, Store};

/// How long a change of the store may take to hold everywhere.
const PROMISE: Duration = Duration::from_secs(1);

/// One link in mode mixed, a session that runs, and the store as an operator's program has it.
struct Stand {
    session: Session,
    link: Link,
    store: Store,
    keys: Keys,
    app: Recipient,
    zone: Recipient,
}

/// What became of a value.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Opened(Vec<u8>),
    Failed(String),
}

impl Stand {
    fn start() -> Self {
        let keys = Keys::new();
        let app = keys.add_zone_creator("app");
        keys.add_client("other");
        let zone = keys.add_zone(&["app"]);
        let link = Chain::builder()
            .zone_mode("mixed")
            .on_refused("error")
            .start_link(&keys);
        let master = MasterKey::from_file(&keys.master_key_file()).unwrap();
        Self {
            session: session(&link),
            store: Store::open(&keys.store(), master).unwrap(),
            link,
            keys,
            app,
            zone,
        }
    }

    /// Reads a value with the zone's tag before it, in the session that runs.
    fn read(&mut self, sealed: &[u8]) -> Read {
        let tag = self.zone.owner().id();
        read(&mut self.session, tag, sealed)
    }

    /// Reads a value until it is read so, and no longer than what is promised.
    #[track_caller]
    fn read_soon(&mut self, sealed: &[u8], expected: &Read) {
        let begun = Instant::now();
        loop {
            let found = self.read(sealed);
            if found == *expected {
                return;
            }
            assert!(
                begun.elapsed() <= PROMISE,
                "after {PROMISE:?} still {found:?}"
            );
        }
    }

    /// What the public API tells at this path, through the connector.
    fn public_key(&self, path: &str) -> Recipient {
        self.link.connector.api(&Request::get(path)).recipient()
    }

    fn refused(&self, reason: &str) -> u64 {
        let line = format!(r#"values_refused_total{{reason="{reason}"}}"#);
        self.link.server.counted(&line)
    }
}

fn session(link: &Link) -> Session {
    let mut session = link.address().raw();
    session.start();
    session
}

fn read(session: &mut Session, tag: &str, sealed: &[u8]) -> Read {
    let answer = session.extended(&format!("select '{tag}', {}", literal(sealed)), 1);
    match rows(&answer).pop().as_deref_mut() {
        Some([_, Some(value)]) => Read::Opened(std::mem::take(value)),
        _ => {
            let error = answer.iter().find(|message| message.tag == b'E');
            Read::Failed(error.and_then(|error| error.field(b'M')).unwrap())
        }
    }
}

fn opened(value: &[u8]) -> Read {
    Read::Opened(value.to_vec())
}

fn failed(why: &str) -> Read {
    Read::Failed(why.into())
}

const REFUSED: &str = "a sealed value in this result was refused";
const SHREDDED: &str = "a sealed value in this result was shredded: its key has been destroyed";
