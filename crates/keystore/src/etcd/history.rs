//! The mark's history: what was committed between two revisions, told by a watch that begins in the
//! past and is left when it has come to the present.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

use super::mark::Mark;
use super::messages::{WatchCreateRequest, WatchMessage, WatchRequest};
use super::{Etcd, EtcdError};
use crate::Error;

/// Changed names that are told one by one.
const MAX_CHANGES: usize = 10_000;
/// The longest message of a watch, in bytes; etcd puts up to 1000 events into one.
const MAX_MESSAGE: u64 = 64 << 20;

impl Etcd {
    /// The names that commits after `since` have written, up to the one that made `until`; `None` if
    /// they are too many, or compacted.
    pub(super) fn names_between(
        &self,
        since: i64,
        until: i64,
    ) -> Result<Option<Vec<String>>, Error> {
        let (mut names, mut marks) = (BTreeSet::new(), 0);
        let told = self.history(since, until, |_, mark| {
            marks += 1;
            names.extend(mark.names);
            match marks.max(names.len()) > MAX_CHANGES {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(told.map(|()| names.into_iter().collect()))
    }

    /// Calls `each` with the marks of all commits after `since`, up to the one that made `until`, and
    /// their revisions, as long as it wants to go on. `None` if not all of them were told.
    pub(super) fn history(
        &self,
        since: i64,
        until: i64,
        mut each: impl FnMut(i64, Mark) -> ControlFlow<()>,
    ) -> Result<Option<()>, Error> {
        if since >= until {
            return Ok(Some(()));
        }
        let watch = WatchRequest {
            create_request: WatchCreateRequest {
                key: self.prefix.as_str().into(),
                start_revision: since + 1,
            },
        };
        let stream = self.gateway.stream("watch", &watch);
        let stream = stream.map_err(|fault| self.gateway.failed(fault))?;
        let mut lines = BufReader::new(stream.into_reader());
        loop {
            let message = message(&mut lines)
                .map_err(|error| EtcdError::Unreachable(format!("its history: {error}")))?;
            // It is over: what it asks for is compacted.
            let Some(response) = message.result.filter(|response| !response.canceled) else {
                return Ok(None);
            };
            for event in response.events {
                // A mark that was removed, or is none, is another store's.
                let mark = match event.kind {
                    None => Mark::parse(&event.kv.value.0).ok(),
                    Some(_) => None,
                };
                let Some(mark) = mark else {
                    return Ok(None);
                };
                if each(event.kv.mod_revision, mark).is_break() {
                    return Ok(None);
                }
                if event.kv.mod_revision >= until {
                    return Ok(Some(()));
                }
            }
        }
    }
}

/// The next message of a watch.
fn message(lines: &mut impl BufRead) -> io::Result<WatchMessage> {
    let mut line = Vec::new();
    lines
        .by_ref()
        .take(MAX_MESSAGE)
        .read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}
