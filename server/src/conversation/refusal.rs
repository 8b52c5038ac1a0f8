//! After a value was refused and the query is to fail: how things get to be as after an error of
//! PostgreSQL's own.
//!
//! The application sees one error and then nothing up to ReadyForQuery. If the end of its batch has
//! not gone to the database yet, a message that fails goes before it, and PostgreSQL does the rest.
//! If it has, what is in flight runs; a transaction block that is still open then is failed before
//! the application's next message goes on, and is shown as failed from the refusal on.

use super::{Conversation, Pending, Reply};

/// A message of ours that the database must get before the application's next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// A Parse that fails: PostgreSQL then skips to the application's Sync. A CopyFail goes before
    /// it, which PostgreSQL ignores unless it is taking in a COPY, and then needs.
    BadParse,
    /// A Query that fails: the transaction block with it.
    BadQuery,
    /// The end of a COPY that the application does not know it is in.
    CopyFail,
    /// The same in the extended protocol, with a Sync: PostgreSQL has ignored the application's.
    CopyFailSync,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    None,
    /// Replies are dropped up to ReadyForQuery. `ended`: the batch's end is on its way already.
    Dropping {
        ended: bool,
    },
    /// The batch has ended; the transaction block it was in stands.
    BlockStands,
}

impl Refusal {
    pub(super) fn drops(self) -> bool {
        matches!(self, Self::Dropping { .. })
    }

    /// True while nothing more of the application's may go on: what it says next belongs after the
    /// failure, and that has not come about.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Dropping { ended: true } | Self::BlockStands)
    }
}

impl Conversation {
    /// A value of the row that comes now is refused. The caller puts an ErrorResponse in the row's
    /// place.
    pub fn refuse(&mut self) {
        let ended = self.pending.iter().any(Pending::ends_batch);
        self.refusal = Refusal::Dropping { ended };
        if !ended {
            self.pending.clear();
            self.skipping = true;
            self.injection = Some(Injection::BadParse);
        }
    }

    /// True when a message of ours is due.
    #[must_use]
    pub fn has_injection(&self) -> bool {
        self.injection.is_some()
    }

    /// The message of ours that is due, once: it goes to the database now.
    pub fn take_injection(&mut self) -> Option<Injection> {
        let injection = self.injection.take()?;
        match injection {
            Injection::BadQuery => self.pending.push_back(Pending::BadQuery),
            Injection::BadParse if self.refusal == Refusal::BlockStands => {
                // PostgreSQL fails the block and skips to the application's Sync.
                self.pending.push_back(Pending::BadParse);
                self.refusal = Refusal::None;
                self.skipping = true;
            }
            Injection::BadParse | Injection::CopyFail | Injection::CopyFailSync => {}
        }
        Some(injection)
    }

    /// The end of a batch was half-way through when a Parse of ours became due: it is too late for
    /// that one.
    pub(super) fn batch_ends_before_bad_parse(&mut self) {
        if self.injection != Some(Injection::BadParse) {
            return;
        }
        self.injection = None;
        self.skipping = false;
        if let Refusal::Dropping { ended } = &mut self.refusal {
            *ended = true;
        }
    }

    /// The application is told the truth, but for a block that is doomed.
    pub(super) fn batch_has_ended(&mut self, status: u8) -> Reply {
        if self.refusal == Refusal::None {
            return Reply::Pass;
        }
        if status != b'T' {
            self.refusal = Refusal::None;
            self.injection = None;
            return Reply::Pass;
        }
        self.refusal = Refusal::BlockStands;
        self.injection = match self.pending.iter().rev().find(|pending| !pending.is_copy()) {
            None => Some(Injection::BadQuery),
            // Its ReadyForQuery brings us here again.
            Some(last) if last.ends_batch() => None,
            Some(_) => Some(Injection::BadParse),
        };
        Reply::Ready(b'E')
    }

    /// A COPY that begins after a refusal: the application does not hear of it, so it is ended.
    pub(super) fn copy_in_begins(&mut self) -> Reply {
        self.drop_stale_syncs();
        self.copying = matches!(self.pending.front(), Some(Pending::Execute(_)));
        if self.refusal == Refusal::None {
            return Reply::Pass;
        }
        // Its end may be on its way: our BadParse, or the application's own.
        let ends = self.refusal == Refusal::Dropping { ended: false }
            || self.injection.is_some()
            || self.pending.contains(&Pending::CopyEnd);
        if !ends {
            let sync_ignored = self.copying && self.pending.contains(&Pending::Sync);
            self.injection = Some(if sync_ignored {
                Injection::CopyFailSync
            } else {
                Injection::CopyFail
            });
        }
        Reply::Drop
    }
}
