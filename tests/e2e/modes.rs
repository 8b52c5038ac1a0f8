//! The two settings that decide about a row, `zone_mode` and `on_refused`: what each of their
//! values does, and that they change for sessions that are open.

mod counted;
mod errors;
mod live;
mod long_rows;
mod reload;
mod zone_mode;

use envelope::Recipient;
use harness::raw::Session;
use harness::{ChainBuilder, Keys, Link};

/// One link whose client is `app`, and what can be sealed to.
struct Stand {
    link: Link,
    keys: Keys,
    app: Recipient,
    /// A zone that `app` may open.
    zone: Recipient,
}

impl Stand {
    fn start(chain: &ChainBuilder) -> Self {
        let keys = Keys::new();
        let app = keys.add_client("app");
        let zone = keys.add_zone(&["app"]);
        let link = chain.start_link(&keys);
        Self {
            link,
            keys,
            app,
            zone,
        }
    }

    /// A session through the link.
    fn session(&self) -> Session {
        let mut session = self.link.address().raw();
        session.start();
        session
    }

    /// A session directly with the database.
    fn direct(&self) -> Session {
        let mut session = self.link.database.address().raw();
        session.start();
        session
    }

    /// Applies a line of the server's configuration while it runs.
    #[track_caller]
    fn apply(&mut self, line: &str) {
        self.link.server.apply(&[line]);
    }

    /// The id of the zone.
    fn tag(&self) -> &str {
        self.zone.owner().id()
    }
}

/// The same envelope with a bit of its last byte changed: no longer authentic.
fn forged(mut envelope: Vec<u8>) -> Vec<u8> {
    *envelope.last_mut().unwrap() ^= 1;
    envelope
}
