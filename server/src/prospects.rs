//! What each zone mode would make of the values that come by, counted whatever mode holds.

use std::sync::atomic::{AtomicU64, Ordering};

use control::{ByZoneMode, Values};

/// Values by the modes that open them.
#[derive(Debug, Default)]
pub struct Prospects {
    client: AtomicU64,
    zone: AtomicU64,
    never: AtomicU64,
}

/// Values of a row, or of more.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prospect {
    /// Sealed to a client, and opened, or refused for zone mode alone.
    pub client: u64,
    /// The same of values sealed to a zone.
    pub zone: u64,
    /// Refused in every mode.
    pub never: u64,
}

impl Prospects {
    /// Adds what a row has come to. A few nanoseconds: it is done for each.
    pub fn add(&self, row: Prospect) {
        for (count, more) in [
            (&self.client, row.client),
            (&self.zone, row.zone),
            (&self.never, row.never),
        ] {
            if more > 0 {
                count.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    /// Since the program started. No count is ever less than it was.
    pub fn by_mode(&self) -> ByZoneMode {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (client, zone, never) = (read(&self.client), read(&self.zone), read(&self.never));
        let values = |opened, refused| Values { opened, refused };
        ByZoneMode {
            off: values(client, zone + never),
            on: values(zone, client + never),
            mixed: values(client + zone, never),
        }
    }
}
