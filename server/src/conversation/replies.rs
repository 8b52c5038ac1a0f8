//! What each reply ends of what was asked: requests are taken off in the order in which PostgreSQL
//! answers them, with those that it has skipped or ignored.

use std::sync::Arc;

use wire::description::{Format, Formats};

use super::refusal::Refusal;
use super::{Conversation, MAX_REMEMBERED, Pending, Reply, remember};

impl Conversation {
    pub(super) fn parsed(&mut self) {
        self.drop_stale_syncs();
        if !matches!(self.pending.front(), Some(Pending::Parse(..))) {
            return;
        }
        if let Some(Pending::Parse(name, copies)) = self.pending.pop_front() {
            self.statements.remove(&name);
            self.prepared.defined(name, &copies);
        }
    }

    pub(super) fn bound(&mut self) {
        self.drop_stale_syncs();
        if !matches!(self.pending.front(), Some(Pending::Bind { .. })) {
            return;
        }
        if let Some(Pending::Bind {
            portal,
            statement,
            formats,
        }) = self.pending.pop_front()
        {
            self.prepared.bound(portal.clone(), &statement);
            let formats = formats.unwrap_or(Formats::All(Format::Text));
            let shape = self.statements.get(&statement).unwrap_or(&self.untyped);
            let shape = Arc::new(shape.with_formats(&formats));
            remember(&mut self.portals, MAX_REMEMBERED, portal, shape);
        }
    }

    pub(super) fn closed(&mut self) {
        self.drop_stale_syncs();
        match self.pending.front() {
            Some(Pending::CloseStatement(name)) => {
                self.statements.remove(name);
                self.prepared.statement_closed(name);
            }
            Some(Pending::ClosePortal(name)) => {
                self.portals.remove(name);
                self.prepared.portal_closed(name);
            }
            _ => return,
        }
        self.pending.pop_front();
    }

    pub(super) fn no_data(&mut self) {
        self.drop_stale_syncs();
        if matches!(
            self.pending.front(),
            Some(Pending::DescribeStatement(_) | Pending::DescribePortal(_))
        ) {
            self.pending.pop_front();
        }
    }

    pub(super) fn executed(&mut self) {
        self.drop_stale_syncs();
        let copied = std::mem::take(&mut self.copying);
        let kept = match self.pending.front() {
            // Other statements of it may follow.
            Some(Pending::Query(_) | Pending::Call(_)) => 1,
            Some(Pending::Execute(_)) => {
                self.pending.pop_front();
                0
            }
            _ => return,
        };
        if copied {
            self.drop_through_copy_end(kept);
        }
    }

    pub(super) fn failed(&mut self) -> Reply {
        self.drop_copy_leftovers();
        let reply = match self.pending.front() {
            _ if self.refusal.drops() => Reply::Drop,
            Some(Pending::BadQuery) => Reply::Drop,
            Some(Pending::BadParse) => Reply::BlockFailed,
            _ => {
                self.block_has_failed();
                Reply::Pass
            }
        };
        if matches!(
            self.pending.front(),
            None | Some(Pending::Query(_) | Pending::Call(_) | Pending::Sync | Pending::BadQuery)
        ) {
            return reply;
        }
        if std::mem::take(&mut self.copying) {
            self.pending.pop_front();
            self.drop_through_copy_end(0);
        }
        while self
            .pending
            .front()
            .is_some_and(|pending| *pending != Pending::Sync)
        {
            self.pending.pop_front();
        }
        self.skipping = self.pending.is_empty();
        reply
    }

    pub(super) fn ready(&mut self, status: u8) -> Reply {
        self.copying = false;
        self.result = self.untyped.clone();
        if status == b'I' {
            self.portals.clear();
            self.prepared.transaction_ended();
        }
        let mut ended = None;
        while let Some(pending) = self.pending.pop_front() {
            if pending.ends_batch() || pending == Pending::BadQuery {
                ended = Some(pending);
                break;
            }
        }
        if ended.is_none() {
            // Whatever was skipped to has been reached.
            self.skipping = false;
        }
        self.drop_copy_leftovers();
        if ended == Some(Pending::BadQuery) {
            self.refusal = Refusal::None;
            return Reply::Drop;
        }
        if ended.is_some_and(|it| it.is_query()) && self.refusal.drops_to_sync() {
            return Reply::Drop;
        }
        self.batch_has_ended(status)
    }

    /// A Sync that PostgreSQL ignored never gets its ReadyForQuery; replies to what follows it show
    /// that it was one.
    pub(super) fn drop_stale_syncs(&mut self) {
        while self
            .pending
            .front()
            .is_some_and(|pending| *pending == Pending::Sync || pending.is_copy())
        {
            self.pending.pop_front();
        }
    }

    /// What is left of a COPY in the simple protocol, which its Query has answered for.
    fn drop_copy_leftovers(&mut self) {
        while self.pending.front().is_some_and(Pending::is_copy) {
            self.pending.pop_front();
        }
    }

    /// The data of a COPY that is over, behind the first `kept` requests, and a Sync among it that
    /// was ignored.
    fn drop_through_copy_end(&mut self, kept: usize) {
        // Before a Parse of ours goes a CopyFail; what the application still says of that COPY is
        // skipped, and the next end among the requests is that of another.
        let ends = |it: &Pending| matches!(it, Pending::CopyEnd | Pending::BadParse);
        let end = self.pending.iter().position(ends);
        let end = end.or_else(|| self.pending.iter().rposition(Pending::is_copy));
        if let Some(end) = end {
            self.pending.drain(kept..=end);
        }
    }
}
