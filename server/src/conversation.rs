//! Which reply answers which request, so that a row's columns are known, and a refusal is put in
//! its place.
//!
//! Requests enter in the order they go to the database, before their bytes do; replies take them
//! off. PostgreSQL answers strictly in order, skips to the next Sync after an error in the extended
//! protocol, and ignores Sync while it takes in a COPY; all of it is followed here. Should the two
//! ever disagree, a row is read as one without types: nothing opens that may not.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use wire::description::{self, Format, Formats};
use wire::request::{Name, Request};

use crate::shape::Shape;

/// Requests that may be on their way; more wait in their socket until replies have come.
pub const MAX_PENDING: usize = 1 << 16;

/// Described statements and open portals that are remembered; rows of others have no types.
const MAX_REMEMBERED: usize = 1 << 14;

/// A request whose reply has not ended.
#[derive(Debug, PartialEq, Eq)]
enum Pending {
    /// Query or FunctionCall: ends with ReadyForQuery.
    Query,
    Parse(Name),
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
    FailBlock,
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
}

/// A message of ours that the database must get before the application's next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// A Parse that fails: PostgreSQL then skips to the application's Sync.
    BadParse,
    /// A Query that fails: the transaction block with it.
    BadQuery,
    /// The end of a COPY that the application does not know it is in.
    CopyFail,
    /// The same in the extended protocol, with a Sync: PostgreSQL has ignored the application's.
    CopyFailSync,
}

/// After a refusal: what is still to be done before things are as after PostgreSQL's own error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    None,
    /// Replies are dropped up to ReadyForQuery.
    Dropping,
    /// Its batch has ended; a transaction block it was in has not been failed yet.
    BlockStands,
}

/// One session's requests and replies.
#[derive(Debug)]
pub struct Conversation {
    pending: VecDeque<Pending>,
    statements: HashMap<Name, Arc<Shape>>,
    portals: HashMap<Name, Arc<Shape>>,
    /// The shape of the result whose rows come now, in the simple protocol.
    result: Arc<Shape>,
    untyped: Arc<Shape>,
    /// After an error PostgreSQL ignores what comes before the next Sync, which is not yet here.
    skipping: bool,
    /// PostgreSQL takes in a COPY of the extended protocol.
    copying: bool,
    refusal: Refusal,
    /// The end of the refused batch was on its way before the refusal.
    batch_has_ended: bool,
    injection: Option<Injection>,
}

impl Default for Conversation {
    fn default() -> Self {
        let untyped = Arc::new(Shape::default());
        Self {
            pending: VecDeque::new(),
            statements: HashMap::new(),
            portals: HashMap::new(),
            result: untyped.clone(),
            untyped,
            skipping: false,
            copying: false,
            refusal: Refusal::None,
            batch_has_ended: false,
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
            Request::Query | Request::FunctionCall => Pending::Query,
            Request::Parse { statement } => Pending::Parse(statement),
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
    }

    /// True while the application's next message must wait.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.injection.is_some()
            || (self.refusal != Refusal::None && self.batch_has_ended)
            || self.pending.len() >= MAX_PENDING
    }

    /// The message of ours that is due, once: it goes to the database now.
    pub fn take_injection(&mut self) -> Option<Injection> {
        let injection = self.injection.take()?;
        if injection == Injection::BadQuery {
            self.pending.push_back(Pending::FailBlock);
        }
        Some(injection)
    }

    /// The shape of the row that comes now.
    #[must_use]
    pub fn row_shape(&mut self) -> Arc<Shape> {
        self.drop_stale_syncs();
        match self.pending.front() {
            Some(Pending::Execute(portal)) => {
                self.portals.get(portal).unwrap_or(&self.untyped).clone()
            }
            Some(Pending::Query) => self.result.clone(),
            _ => self.untyped.clone(),
        }
    }

    /// A value of the row that comes now is refused, and the query fails. The caller puts an
    /// ErrorResponse in the row's place.
    pub fn refuse(&mut self) {
        self.refusal = Refusal::Dropping;
        let ends_batch = |pending: &Pending| matches!(pending, Pending::Query | Pending::Sync);
        self.batch_has_ended = self.pending.iter().any(ends_batch);
        if !self.batch_has_ended {
            self.pending.clear();
            self.skipping = true;
            self.injection = Some(Injection::BadParse);
        }
    }

    /// Takes note of a RowDescription; one that cannot be read leaves its rows without types.
    pub fn described(&mut self, body: &[u8]) -> Reply {
        self.drop_stale_syncs();
        let shape = description::columns(body).map_or_else(
            |_| self.untyped.clone(),
            |columns| Arc::new(Shape::of(&columns)),
        );
        match self.pending.front() {
            Some(Pending::Query) => self.result = shape,
            Some(Pending::DescribeStatement(name)) => {
                remember(&mut self.statements, name.clone(), shape);
                self.pending.pop_front();
            }
            Some(Pending::DescribePortal(name)) => {
                remember(&mut self.portals, name.clone(), shape);
                self.pending.pop_front();
            }
            _ => {}
        }
        if self.refusal == Refusal::Dropping {
            Reply::Drop
        } else {
            Reply::Pass
        }
    }

    /// Takes note of any other reply by its type; `status` is ReadyForQuery's. Answers what the
    /// application is to see of it.
    pub fn reply(&mut self, tag: u8, status: Option<u8>) -> Reply {
        let dropping = self.refusal == Refusal::Dropping;
        let ours = self.pending.front() == Some(&Pending::FailBlock);
        match tag {
            b'1' => self.parsed(),
            b'2' => self.bound(),
            b'3' => self.closed(),
            b'n' => self.no_data(),
            b'C' | b'I' | b's' => self.executed(),
            b'G' => self.copy_in_begins(dropping),
            b'E' => self.failed(),
            b'Z' => return self.ready(status.unwrap_or(b'I')),
            _ => {}
        }
        // Asynchronous messages belong to no request.
        if (dropping || ours) && !matches!(tag, b'N' | b'S' | b'A') {
            Reply::Drop
        } else {
            Reply::Pass
        }
    }

    fn parsed(&mut self) {
        self.drop_stale_syncs();
        if let Some(Pending::Parse(name)) = self.pending.front() {
            self.statements.remove(name);
            self.pending.pop_front();
        }
    }

    fn bound(&mut self) {
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
            let formats = formats.unwrap_or(Formats::All(Format::Text));
            let shape = self.statements.get(&statement).unwrap_or(&self.untyped);
            remember(
                &mut self.portals,
                portal,
                Arc::new(shape.with_formats(&formats)),
            );
        }
    }

    fn closed(&mut self) {
        self.drop_stale_syncs();
        match self.pending.front() {
            Some(Pending::CloseStatement(name)) => {
                self.statements.remove(name);
            }
            Some(Pending::ClosePortal(name)) => {
                self.portals.remove(name);
            }
            _ => return,
        }
        self.pending.pop_front();
    }

    fn no_data(&mut self) {
        self.drop_stale_syncs();
        let described = matches!(
            self.pending.front(),
            Some(Pending::DescribeStatement(_) | Pending::DescribePortal(_))
        );
        if described {
            self.pending.pop_front();
        }
    }

    fn executed(&mut self) {
        self.drop_stale_syncs();
        if !matches!(self.pending.front(), Some(Pending::Execute(_))) {
            return;
        }
        self.pending.pop_front();
        if std::mem::take(&mut self.copying) {
            // A Sync before the COPY's end was ignored.
            self.drop_through_copy_end();
        }
    }

    fn copy_in_begins(&mut self, dropping: bool) {
        self.drop_stale_syncs();
        self.copying = matches!(self.pending.front(), Some(Pending::Execute(_)));
        // An application that did not wait for this message has ended the COPY itself, unless a Sync
        // stands before the end.
        let ends = |pending: &&Pending| matches!(pending, Pending::CopyEnd | Pending::Sync);
        let is_ended = self.pending.iter().find(ends) == Some(&Pending::CopyEnd);
        if dropping && self.batch_has_ended && !is_ended {
            let copy = if self.copying {
                Injection::CopyFailSync
            } else {
                Injection::CopyFail
            };
            self.injection = Some(copy);
        }
    }

    fn failed(&mut self) {
        let simple = matches!(
            self.pending.front(),
            None | Some(Pending::Query | Pending::Sync | Pending::FailBlock)
        );
        if simple {
            return;
        }
        if std::mem::take(&mut self.copying) {
            self.pending.pop_front();
            self.drop_through_copy_end();
        }
        while self
            .pending
            .front()
            .is_some_and(|pending| *pending != Pending::Sync)
        {
            self.pending.pop_front();
        }
        self.skipping = self.pending.is_empty();
    }

    fn ready(&mut self, status: u8) -> Reply {
        self.copying = false;
        self.result = self.untyped.clone();
        if status == b'I' {
            self.portals.clear();
        }
        let mut ended = None;
        while let Some(pending) = self.pending.pop_front() {
            if matches!(pending, Pending::Query | Pending::Sync | Pending::FailBlock) {
                ended = Some(pending);
                break;
            }
        }
        if ended == Some(Pending::FailBlock) {
            self.refusal = Refusal::None;
            return Reply::Drop;
        }
        self.after_refused_batch(status)
    }

    /// The application is told the truth, but for a block that is doomed: it sees it failed from
    /// the refusal on, and it is, before its next message goes on.
    fn after_refused_batch(&mut self, status: u8) -> Reply {
        if self.refusal == Refusal::None {
            return Reply::Pass;
        }
        if status != b'T' {
            self.refusal = Refusal::None;
            return Reply::Pass;
        }
        self.refusal = Refusal::BlockStands;
        let in_flight =
            |pending: &Pending| !matches!(pending, Pending::CopyData | Pending::CopyEnd);
        if !self.pending.iter().any(in_flight) {
            self.injection = Some(Injection::BadQuery);
        }
        Reply::Ready(b'E')
    }

    /// A Sync that PostgreSQL ignored never gets its ReadyForQuery; replies to what follows it show
    /// that it was one. What is left of a COPY of the simple protocol is in the way too.
    fn drop_stale_syncs(&mut self) {
        while matches!(
            self.pending.front(),
            Some(Pending::Sync | Pending::CopyData | Pending::CopyEnd)
        ) {
            self.pending.pop_front();
        }
    }

    fn drop_through_copy_end(&mut self) {
        let copy = |pending: &Pending| matches!(pending, Pending::CopyData | Pending::CopyEnd);
        while self.pending.iter().any(copy) {
            let ended = self.pending.pop_front() == Some(Pending::CopyEnd);
            if ended {
                break;
            }
        }
    }
}

fn remember(shapes: &mut HashMap<Name, Arc<Shape>>, name: Name, shape: Arc<Shape>) {
    if shapes.len() < MAX_REMEMBERED || shapes.contains_key(&name) {
        shapes.insert(name, shape);
    }
}

#[cfg(test)]
mod tests;
