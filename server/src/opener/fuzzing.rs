//! Rows opened outside of a session: for the workspace's fuzz targets.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::BytesMut;
use control::{OnRefused, ZoneMode};
use envelope::{ClientId, KeyId, Kind};
use keystore::fuzzing::load;
use keystore::{KeyCache, OpenKey};
use wire::description::{Column, Format, Formats};
use wire::row::Fields;

use super::{Fetched, Opener, Outcome, Policy};
use crate::access::{Access, Counting};
use crate::encoding::Encoding;
use crate::metrics::Metrics;
use crate::refusals::RefusalLog;
use crate::shape::Shape;

/// Opens rows for one client, with these keys.
pub struct RowOpener {
    client: ClientId,
    keys: KeyCache,
    /// Those that are not in memory.
    stored: HashMap<KeyId, Arc<OpenKey>>,
    metrics: Metrics,
    refusals: RefusalLog,
    access: Counting,
}

/// What a row is opened under.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The columns of its result, as a RowDescription tells of them; nothing where there was none.
    pub described: Option<&'a [Column]>,
    /// The formats that were asked for.
    pub formats: &'a [Format],
    /// `client_encoding`, by the name that PostgreSQL tells or that SQL has.
    pub encoding: &'a [u8],
    /// Whether SQL has it.
    pub is_named_by_sql: bool,
    /// Which kinds of owner are opened.
    pub zone_mode: ZoneMode,
    /// What becomes of what is not.
    pub on_refused: OnRefused,
}

/// What became of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Became {
    /// It stays as it is.
    Unchanged,
    /// The body of a DataRow.
    Changed(Vec<u8>),
    /// The query fails; whether only because of keys that have been destroyed.
    Refused {
        /// Every refused value was sealed to one.
        shredded: bool,
    },
}

impl RowOpener {
    /// For this client, with these keys: clients' are in memory, and zones' are fetched.
    #[must_use]
    pub fn new(client: ClientId, keys: Vec<(KeyId, OpenKey)>) -> Self {
        let (most, access) = (
            NonZeroUsize::new(64).expect("it is one"),
            Arc::<Access>::default().begin(&client),
        );
        let cache = KeyCache::new(most, most);
        let (of_clients, of_zones) = keys
            .into_iter()
            .partition(|(_, key)| key.owner.kind() == Kind::Client);
        load(&cache, of_clients);
        let of_zones: Vec<_> = of_zones;
        Self {
            client,
            keys: cache,
            stored: of_zones
                .into_iter()
                .map(|(id, key)| (id, Arc::new(key)))
                .collect(),
            metrics: Metrics::new(),
            refusals: RefusalLog::default(),
            access,
        }
    }

    /// Opens a row. One without what must be in it is not looked into by a session, and stays.
    #[must_use]
    pub fn open(&self, body: &[u8], setting: &Setting<'_>) -> Became {
        let row = Fields::parse(body).expect("it is a DataRow's body");
        let formats = Formats::Each(setting.formats.into());
        let shape = match setting.described {
            Some(columns) => Shape::of(columns).with_formats(&formats),
            None => Shape::default().with_formats(&formats),
        };
        let shape = shape.refit(row.count()).unwrap_or(shape);
        let opener = Opener {
            client: &self.client,
            keys: &self.keys,
            metrics: &self.metrics,
            refusals: &self.refusals,
            access: &self.access,
            encoding: match setting.is_named_by_sql {
                true => Encoding::named(setting.encoding),
                false => Encoding::of(setting.encoding),
            },
        };
        let policy = Policy {
            zone_mode: setting.zone_mode,
            on_refused: setting.on_refused,
        };
        let mut fetched = Fetched::default();
        let edits = loop {
            match opener.open_row(row, &shape, policy, &fetched).0 {
                Outcome::Unchanged => return Became::Unchanged,
                Outcome::Refused { shredded } => {
                    assert!(shape.markers().may_stand_in(body));
                    return Became::Refused { shredded };
                }
                Outcome::KeysMissing(missing) => {
                    let known = missing.iter().filter_map(|id| {
                        let key = self.stored.get(id)?;
                        Some((*id, key.clone()))
                    });
                    fetched.keys.extend(known);
                    fetched.asked.extend(missing);
                }
                Outcome::Changed(edits) => break edits,
            }
        };
        assert!(shape.may_hold_envelopes() && shape.markers().may_stand_in(body));
        let mut out = BytesMut::new();
        edits.write(b'D', row, &mut out).expect("no row is so long");
        Became::Changed(out.split_off(wire::Header::LEN).to_vec())
    }
}
