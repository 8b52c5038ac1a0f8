//! Which reply answers which request, so that a row's columns are known, and a refusal is put in
//! its place.
//!
//! Requests enter in the order they go to the database, before their bytes do; replies take them
//! off. PostgreSQL answers strictly in order, skips to the next Sync after an error in the extended
//! protocol, and ignores Sync while it takes in a COPY; all of it is followed here. Should the two
//! ever disagree, a row is read as one without types: nothing opens that may not.
//!
//! What each reply ends is in [`replies`], what follows a refused value in [`refusal`], what is known
//! of COPY's data in [`copies`].

mod copies;
mod refusal;
mod replies;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use wire::copy::Copies;
use wire::description::{self, Format, Formats};
use wire::request::{Name, Request};

use crate::shape::Shape;

use copies::Prepared;
pub use refusal::Injection;
use refusal::Refusal;

/// Requests that may be on their way; more wait in their socket until replies have come.
pub const MAX_PENDING: usize = 1 << 16;

/// Described statements and open portals that are remembered; rows of others have no types.
const MAX_REMEMBERED: usize = 1 << 14;

/// A request whose reply has not ended.
#[derive(Debug, PartialEq, Eq)]
enum Pending {
    /// Ends with ReadyForQuery; of its COPYs to the application those that have not begun.
    Query(Copies),
    /// FunctionCall, which ends so too, and the format of its result.
    Call(Option<Format>),
    Parse(Name, Copies),
    Bind {
        portal: Name,
        statement: Name,
        formats: Option<Formats>,
    },
    DescribeStatement(Name),
    DescribePortal(Name),
    Execute(Name),
    CloseStatement(Name),
    ClosePortal(Name),
    Sync,
    /// A run of CopyData.
    CopyData,
    CopyEnd,
    /// A Query of ours that fails a transaction block.
    BadQuery,
    /// A Parse of ours that fails one, in the middle of the application's batch.
    BadParse,
}

impl Pending {
    fn ends_batch(&self) -> bool {
        self.is_query() || *self == Self::Sync
    }

    fn is_query(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Call(_))
    }

    fn is_copy(&self) -> bool {
        matches!(self, Self::CopyData | Self::CopyEnd)
    }
}

/// What the application is to see of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The message as it came.
    Pass,
    /// Nothing.
    Drop,
    /// ReadyForQuery with this status instead.
    Ready(u8),
    /// The error of a transaction block that has failed, instead of the one we provoked.
    BlockFailed,
}

/// One session's requests and replies.
#[derive(Debug)]
pub struct Conversation {
    pending: VecDeque<Pending>,
    statements: HashMap<Name, Arc<Shape>>,
    portals: HashMap<Name, Arc<Shape>>,
    prepared: Prepared,
    /// The shape of the result whose rows come now, in the simple protocol.
    result: Arc<Shape>,
    untyped: Arc<Shape>,
    /// After an error PostgreSQL ignores what comes before the next Sync, which is not yet here.
    skipping: bool,
    /// PostgreSQL takes in a COPY.
    copying: bool,
    refusal: Refusal,
    injection: Option<Injection>,
}

impl Default for Conversation {
    fn default() -> Self {
        let untyped = Arc::new(Shape::default());
        Self {
            pending: VecDeque::new(),
            statements: HashMap::new(),
            portals: HashMap::new(),
            prepared: Prepared::default(),
            result: untyped.clone(),
            untyped,
            skipping: false,
            copying: false,
            refusal: Refusal::None,
            injection: None,
        }
    }
}

impl Conversation {
    /// Takes note of a request that goes to the database next.
    pub fn ask(&mut self, request: Request) {
        if self.skipping && request != Request::Sync {
            return;
        }
        let pending = match request {
            Request::Query(copies) => Pending::Query(copies),
            Request::FunctionCall(format) => Pending::Call(format),
            Request::Parse { statement, copies } => Pending::Parse(statement, copies),
            Request::Bind {
                portal,
                statement,
                formats,
            } => Pending::Bind {
                portal,
                statement,
                formats,
            },
            Request::DescribeStatement(name) => Pending::DescribeStatement(name),
            Request::DescribePortal(name) => Pending::DescribePortal(name),
            Request::Execute(name) => Pending::Execute(name),
            Request::CloseStatement(name) => Pending::CloseStatement(name),
            Request::ClosePortal(name) => Pending::ClosePortal(name),
            Request::Sync => {
                self.skipping = false;
                Pending::Sync
            }
            Request::CopyData if self.pending.back() == Some(&Pending::CopyData) => return,
            Request::CopyData => Pending::CopyData,
            Request::CopyEnd => Pending::CopyEnd,
            Request::Terminate | Request::Other => return,
        };
        self.pending.push_back(pending);
        self.overtaken();
    }

    /// True while the application's next message must wait.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.injection.is_some() || self.refusal.holds() || self.pending.len() >= MAX_PENDING
    }

    /// The shape of the row that comes now.
    #[must_use]
    pub fn row_shape(&mut self) -> Arc<Shape> {
        self.drop_stale_syncs();
        let shape = match self.pending.front() {
            Some(Pending::Execute(portal)) => self.portals.get(portal),
            Some(Pending::Query(_)) => Some(&self.result),
            _ => None,
        };
        shape.unwrap_or(&self.untyped).clone()
    }

    /// Takes note of a RowDescription; one that cannot be read leaves its rows without types.
    pub fn described(&mut self, body: &[u8]) -> Reply {
        self.drop_stale_syncs();
        let shape = description::columns(body).map_or_else(
            |_| self.untyped.clone(),
            |columns| Arc::new(Shape::of(&columns)),
        );
        match self.pending.front() {
            Some(Pending::Query(_)) => self.result = shape,
            Some(Pending::DescribeStatement(name)) => {
                remember(&mut self.statements, MAX_REMEMBERED, name.clone(), shape);
                self.pending.pop_front();
            }
            Some(Pending::DescribePortal(name)) => {
                remember(&mut self.portals, MAX_REMEMBERED, name.clone(), shape);
                self.pending.pop_front();
            }
            _ => {}
        }
        if self.refusal.drops() {
            Reply::Drop
        } else {
            Reply::Pass
        }
    }

    /// Takes note of a CommandComplete with this tag, such as `SELECT 1`.
    pub fn completed(&mut self, tag: &[u8]) -> Reply {
        // SQL can put another statement or cursor behind a name that the protocol has described; and
        // portals and cursors share their names.
        const REDEFINE: [&[u8]; 5] = [
            b"DEALLOCATE",
            b"DISCARD ALL",
            b"PREPARE",
            b"CLOSE CURSOR",
            b"DECLARE CURSOR",
        ];
        if REDEFINE.iter().any(|command| tag.starts_with(command)) {
            self.statements.clear();
            for shape in self.portals.values_mut() {
                *shape = Arc::new(shape.without_types());
            }
        }
        self.reply(b'C', None)
    }

    /// Takes note of any other reply by its type; `status` is ReadyForQuery's. Answers what the
    /// application is to see of it.
    pub fn reply(&mut self, tag: u8, status: Option<u8>) -> Reply {
        let drops = self.refusal.drops();
        match tag {
            b'1' => self.parsed(),
            b'2' => self.bound(),
            b'3' => self.closed(),
            b'n' => self.no_data(),
            b'C' | b'I' | b's' => self.executed(),
            b'G' => return self.copy_in_begins(),
            b'E' => return self.failed(),
            b'Z' => return self.ready(status.unwrap_or(b'I')),
            // Asynchronous messages belong to no request.
            b'N' | b'S' | b'A' => return Reply::Pass,
            _ => {}
        }
        if drops { Reply::Drop } else { Reply::Pass }
    }
}

/// Keeps what is known of a name, of `most` names.
fn remember<T>(known: &mut HashMap<Name, Arc<T>>, most: usize, name: Name, it: Arc<T>) {
    if known.len() >= most {
        // Names that SQL has dropped, most likely. What is forgotten is read without types.
        known.clear();
    }
    known.insert(name, it);
}

#[cfg(test)]
mod tests;
