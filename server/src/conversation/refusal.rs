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
    /// Replies are dropped up to the ReadyForQuery that ends the batch. `ended`: the batch's end is
    /// on its way already. `to_sync`: it is a Sync, before which a Query is ignored like all else.
    Dropping {
        ended: bool,
        to_sync: bool,
    },
    /// The batch has ended; the transaction block it was in stands.
    BlockStands,
}

impl Refusal {
    pub(super) fn drops(self) -> bool {
        matches!(self, Self::Dropping { .. })
    }

    /// True while even a Query's ReadyForQuery is dropped: after an error in the extended protocol
    /// PostgreSQL would not have run it.
    pub(super) fn drops_to_sync(self) -> bool {
        matches!(self, Self::Dropping { to_sync: true, .. })
    }

    /// True while nothing more of the application's may go on: what it says next belongs after the
    /// failure, and that has not come about.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Dropping { ended: true, .. } | Self::BlockStands)
    }
}

impl Conversation {
    /// A value of the row that comes now is refused. The caller puts an ErrorResponse in the row's
    /// place.
    pub fn refuse(&mut self) {
        let to_sync = !self.pending.front().is_some_and(Pending::is_query);
        let ended = !to_sync || self.pending.contains(&Pending::Sync);
        self.refusal = Refusal::Dropping { ended, to_sync };
        if !ended {
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
            Injection::BadParse => {
                // PostgreSQL fails the block, if there is one, and skips to the application's Sync.
                self.pending.push_back(Pending::BadParse);
                self.skipping = true;
                if self.refusal == Refusal::BlockStands {
                    self.refusal = Refusal::None;
                }
            }
            Injection::CopyFail | Injection::CopyFailSync => {}
        }
        Some(injection)
    }

    /// A request has been taken note of. It goes before a message of ours that is due if part of it
    /// was on its way already; then something else may be due, or nothing.
    pub(super) fn overtaken(&mut self) {
        match (self.refusal, self.injection) {
            (Refusal::BlockStands, Some(Injection::BadQuery | Injection::BadParse)) => {
                self.injection = self
                    .what_fails_the_block()
                    .or_else(|| self.what_ends_the_copy());
            }
            (
                Refusal::Dropping {
                    ended: false,
                    to_sync,
                },
                Some(Injection::BadParse),
            ) if self.pending.back() == Some(&Pending::Sync) => {
                self.refusal = Refusal::Dropping {
                    ended: true,
                    to_sync,
                };
                self.injection = self.what_ends_the_copy();
            }
            _ => {}
        }
    }

    /// PostgreSQL itself has failed something; a block that was to be failed has been.
    pub(super) fn block_has_failed(&mut self) {
        if self.refusal == Refusal::BlockStands {
            self.refusal = Refusal::None;
            self.injection = None;
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
        self.injection = self.what_fails_the_block();
        Reply::Ready(b'E')
    }

    fn what_fails_the_block(&self) -> Option<Injection> {
        if self.pending.iter().any(Pending::ends_batch) {
            // It may end the block itself, and its ReadyForQuery asks again.
            None
        } else if self.pending.iter().all(Pending::is_copy) {
            Some(Injection::BadQuery)
        } else {
            Some(Injection::BadParse)
        }
    }

    /// A COPY that begins after a refusal: the application does not hear of it, so it is ended.
    pub(super) fn copy_in_begins(&mut self) -> Reply {
        self.drop_stale_syncs();
        self.copying = true;
        if self.refusal == Refusal::None {
            return Reply::Pass;
        }
        if self.injection != Some(Injection::BadParse) {
            self.injection = self.what_ends_the_copy();
        }
        Reply::Drop
    }

    /// Nothing, where there is no COPY, or its end is on its way: the application's own, or that
    /// before a Parse of ours.
    fn what_ends_the_copy(&self) -> Option<Injection> {
        let ends = |pending: &Pending| matches!(pending, Pending::CopyEnd | Pending::BadParse);
        if !self.copying || self.pending.iter().any(ends) {
            return None;
        }
        let extended = matches!(self.pending.front(), Some(Pending::Execute(_)));
        if extended && self.pending.contains(&Pending::Sync) {
            return Some(Injection::CopyFailSync);
        }
        Some(Injection::CopyFail)
    }
}
