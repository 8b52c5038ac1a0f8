//! The mark's history: what was committed between two revisions, told by a watch that begins in the
//! past and is left when it has come to the present.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

use super::Etcd;
use super::mark::Mark;
use super::messages::{WatchCreateRequest, WatchMessage, WatchRequest, WatchResponse};

/// Changed names that are told one by one.
const MAX_CHANGES: usize = 10_000;
/// The longest message of a watch, in bytes; etcd puts up to 1000 events into one.
const MAX_MESSAGE: u64 = 64 << 20;

impl Etcd {
    /// The names that commits after `since` have written, up to the one that made `until`; `None` if
    /// they are too many, compacted, or not told in time.
    pub(super) fn names_between(&self, since: i64, until: i64) -> Option<Vec<String>> {
        let mut names = BTreeSet::new();
        let mut too_many = false;
        self.history(since, until, |_, mark| {
            too_many |= names.len() + mark.names.len() > MAX_CHANGES;
            if !too_many {
                names.extend(mark.names);
            }
        })?;
        (!too_many).then(|| names.into_iter().collect())
    }

    /// Calls `each` with the marks of all commits after `since`, up to the one that made `until`, and
    /// their revisions. `None` if not all of them are told.
    pub(super) fn history(
        &self,
        since: i64,
        until: i64,
        mut each: impl FnMut(i64, Mark),
    ) -> Option<()> {
        if since >= until {
            return Some(());
        }
        let watch = WatchRequest {
            create_request: WatchCreateRequest {
                key: self.prefix.as_str().into(),
                start_revision: since + 1,
            },
        };
        let stream = self.gateway.stream("watch", &watch).ok()?;
        let mut lines = BufReader::new(stream.into_reader());
        loop {
            for event in message(&mut lines)?.events {
                let mark = match event.kind {
                    None => Mark::parse(&event.kv.value.0).ok()?,
                    Some(_) => return None,
                };
                each(event.kv.mod_revision, mark);
                if event.kv.mod_revision >= until {
                    return Some(());
                }
            }
        }
    }
}

/// The next message, if the watch goes on.
fn message(lines: &mut impl BufRead) -> Option<WatchResponse> {
    let mut line = Vec::new();
    lines
        .by_ref()
        .take(MAX_MESSAGE)
        .read_until(b'\n', &mut line)
        .ok()?;
    let message: WatchMessage = serde_json::from_slice(&line).ok()?;
    message.result.filter(|response| !response.canceled)
}
