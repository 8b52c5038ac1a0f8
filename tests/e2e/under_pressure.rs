//! Much at once: long pipelines, a store that changes while it is read, little memory, rows that
//! take long to open, and peers that keep others waiting. Everything valid opens, in time.

mod cancels;
mod crowd;
mod http;
mod idle;
mod memory;
mod pipelines;
mod sizes;
mod stalls;
mod store;
mod turns;
mod unread;

use envelope::Recipient;
use harness::raw::Session;
use harness::{ChainBuilder, Keys, Link};

/// A link whose client is `app`, which may create zones.
struct Stand {
    link: Link,
    keys: Keys,
    app: Recipient,
}

impl Stand {
    fn start(chain: &ChainBuilder) -> Self {
        let keys = Keys::new();
        let app = keys.add_zone_creator("app");
        let link = chain.start_link(&keys);
        Self { link, keys, app }
    }

    /// A session through the link.
    fn session(&self) -> Session {
        let mut session = self.link.address().raw();
        session.start();
        session
    }

    /// A session through the link, and the key that cancels its queries.
    fn session_with_key(&self) -> (Session, Vec<u8>) {
        let mut session = self.link.address().raw();
        let greeting = session.start();
        let key = greeting.into_iter().find(|message| message.tag == b'K');
        (session, key.unwrap().body)
    }
}
