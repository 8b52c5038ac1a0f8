//! Rows opened outside of a session: for the workspace's fuzz targets.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::BytesMut;
use control::{OnRefused, ZoneMode};
use envelope::{ClientId, KeyId, Owner, PrivateKey};
use keystore::fuzzing::open_key;
use keystore::{KeyCache, OpenKey};
use wire::description::{Column, Format, Formats};
use wire::row::Fields;

use super::{Fetched, Opener, Outcome, Policy};
use crate::access::{Access, Counting};
use crate::encoding::Encoding;
use crate::metrics::Metrics;
use crate::refusals::RefusalLog;
use crate::shape::Shape;

/// Opens rows for one client that has all keys, in UTF-8.
pub struct RowOpener {
    client: ClientId,
    fetched: HashMap<KeyId, Arc<OpenKey>>,
    keys: KeyCache,
    metrics: Metrics,
    refusals: RefusalLog,
    access: Counting,
}

/// What became of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Became {
    /// It stays as it is.
    Unchanged,
    /// The body of a DataRow.
    Changed(Vec<u8>),
    /// The query fails.
    Refused,
}

impl RowOpener {
    /// For this client, with these keys.
    #[must_use]
    pub fn new(client: ClientId, keys: Vec<(Owner, PrivateKey)>) -> Self {
        let keys = keys.into_iter();
        let fetched = keys.map(|(owner, key)| {
            let id = key.public_key().key_id();
            (id, Arc::new(open_key(owner, key)))
        });
        let fetched = fetched.collect();
        let access = Arc::<Access>::default().begin(&client);
        Self {
            client,
            fetched,
            keys: KeyCache::new(NonZeroUsize::MIN, NonZeroUsize::MIN),
            metrics: Metrics::new(),
            refusals: RefusalLog::default(),
            access,
        }
    }

    /// Opens a row whose columns were described so, or not at all: then only formats are known.
    #[must_use]
    pub fn open(
        &self,
        row: Fields<'_>,
        columns: &[Column],
        is_typed: bool,
        on_refused: OnRefused,
    ) -> Became {
        let shape = match is_typed {
            true => Shape::of(columns),
            false => {
                let formats: Vec<Format> = columns.iter().map(|column| column.format).collect();
                Shape::Untyped(Formats::Each(formats.into()))
            }
        };
        let opener = Opener {
            client: &self.client,
            keys: &self.keys,
            metrics: &self.metrics,
            refusals: &self.refusals,
            access: &self.access,
            encoding: Encoding::Utf8,
        };
        let policy = Policy {
            zone_mode: ZoneMode::Mixed,
            on_refused,
        };
        let mut fetched = Fetched {
            keys: self.fetched.clone(),
            ..Fetched::default()
        };
        let edits = loop {
            match opener.open_row(row, &shape, policy, &fetched).0 {
                Outcome::Unchanged => return Became::Unchanged,
                Outcome::Refused { .. } => return Became::Refused,
                Outcome::KeysMissing(missing) => fetched.asked.extend(missing),
                Outcome::Changed(edits) => break edits,
            }
        };
        let mut out = BytesMut::new();
        edits.write(b'D', row, &mut out).expect("no row is so long");
        Became::Changed(out.split_off(wire::Header::LEN).to_vec())
    }
}
