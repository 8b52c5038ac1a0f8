//! From the database to the application: every message as it came, but for rows in which a value
//! opens, and what follows a refusal.
//!
//! A chunk in which nothing changes leaves in one write from the buffer it came into.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use control::OnRefused;
use daemon::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::row::Fields;
use wire::{Header, originate, sasl};

use crate::conversation::Reply;
use crate::edits::Edits;
use crate::limits::Held;
use crate::metrics::Reason;
use crate::opener::Outcome;
use crate::refusals;
use crate::session::{Ended, Session};
use crate::shape::Shape;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A buffer larger than this is given back when it is empty.
const KEEP: usize = 256 << 10;

/// RowDescription, BackendKeyData and AuthenticationSASL are read whole up to this length; 1,600
/// columns with the longest names need a tenth of it. Longer ones pass unread.
const MAX_READ_WHOLE: usize = 1 << 20;

/// The memory of rows over this length is accounted for, and they are opened where they do not hold
/// up other sessions.
const LONG_ROW: usize = 64 << 10;

/// What is to be done with the message at the front.
enum Plan {
    /// A row that may hold envelopes: read whole and opened.
    Open(Arc<Shape>),
    /// Read whole and looked at.
    Read,
    /// Passes in pieces; only its type matters.
    Pass,
    /// A row that is too long to be opened, and may not pass unopened.
    Refuse,
}

/// The direction's state between two messages.
pub struct DbToApp<'a> {
    session: &'a Session,
    /// Bytes of the current message that go by in pieces, and whether the application sees them.
    left: usize,
    dropped: bool,
    /// Rows are dropped: one before them was refused.
    dropping: bool,
    /// The shape of the rows that come now, found once a result.
    rows: Option<Arc<Shape>>,
    /// Memory accounted for the long row that is coming in, and for one that has not left.
    held: Option<Held>,
    leaving: Option<Held>,
    last_tag: u8,
}

impl<'a> DbToApp<'a> {
    /// At the start of a session.
    #[must_use]
    pub fn new(session: &'a Session) -> Self {
        Self {
            session,
            left: 0,
            dropped: false,
            dropping: false,
            rows: None,
            held: None,
            leaving: None,
            last_tag: 0,
        }
    }

    /// Carries messages until the database's side ends, and tells the application why it did.
    ///
    /// # Errors
    /// It ended otherwise than by the database closing it.
    pub async fn run(
        mut self,
        mut db: impl AsyncRead + Unpin,
        mut app: impl AsyncWrite + Unpin,
        ending: Shutdown,
    ) -> Result<(), Ended> {
        let end = self.carry(&mut db, &mut app, ending).await;
        // PostgreSQL itself may have said it, and whoever said goodbye wants to hear nothing. In
        // the middle of a message nothing can be said.
        let silent = self.last_tag == b'E' || self.session.flow.is_terminated() || self.left > 0;
        let farewell = match &end {
            Ok(()) | Err(Ended::Database(_)) => Some(refusals::DATABASE_GONE),
            Err(Ended::Shutdown) => Some(refusals::SHUTDOWN),
            Err(Ended::Framing(_) | Ended::Malformed(_)) => Some(refusals::DATABASE_GARBLED),
            Err(Ended::Application(_)) => None,
        };
        if let Some(farewell) = farewell.filter(|_| !silent) {
            app.write_all(&farewell.to_message())
                .await
                .map_err(Ended::Application)?;
        }
        app.shutdown().await.map_err(Ended::Application)?;
        end
    }

    async fn carry(
        &mut self,
        db: &mut (impl AsyncRead + Unpin),
        app: &mut (impl AsyncWrite + Unpin),
        mut ending: Shutdown,
    ) -> Result<(), Ended> {
        let mut input = BytesMut::new();
        loop {
            input.reserve(CHUNK);
            let read = tokio::select! {
                read = db.read_buf(&mut input) => read.map_err(Ended::Database)?,
                () = ending.begun() => return Err(Ended::Shutdown),
            };
            if read == 0 {
                return Ok(());
            }
            let held_back = self.session.flow.holds();
            let mut edits = Edits::new(&input);
            let mut taken = 0;
            let readable = self.take(&mut edits, &mut taken).await;
            // What stands before a message that cannot be read still leaves.
            app.write_all(edits.finish(taken))
                .await
                .map_err(Ended::Application)?;
            app.flush().await.map_err(Ended::Application)?;
            readable?;
            self.leaving = None;
            if held_back || self.session.flow.holds() {
                self.session.flow.replies_came();
            }
            input.advance(taken);
            if input.is_empty() && input.capacity() > KEEP {
                input = BytesMut::new();
            }
        }
    }

    /// Goes over what has arrived, message by message. `at` counts the bytes that are done with; the
    /// rest begins a message that must be whole, or that cannot be read.
    async fn take(&mut self, edits: &mut Edits<'_>, at: &mut usize) -> Result<(), Ended> {
        let input = edits.input();
        loop {
            let piece = self.left.min(input.len() - *at);
            if self.dropped && piece > 0 {
                edits.replace(*at..*at + piece);
            }
            self.left -= piece;
            *at += piece;
            let rest = input.get(*at..).unwrap_or_default();
            let Some(header) = Header::parse(rest).map_err(Ended::Framing)? else {
                return Ok(());
            };
            let place = *at..*at + header.total();
            let (end, whole) = (place.end, input.get(*at + Header::LEN..place.end));
            match (self.plan(header).await, whole) {
                (Plan::Open(_) | Plan::Read, None) => return Ok(()),
                (Plan::Open(shape), Some(body)) => {
                    self.open(body, &shape, place, edits).await?;
                    *at = end;
                }
                (Plan::Read, Some(body)) => {
                    self.read(header.tag, body, place, edits)?;
                    *at = end;
                }
                (Plan::Refuse, _) => {
                    self.refuse(*at..*at, edits);
                    self.pass(header);
                }
                (Plan::Pass, _) => self.pass(header),
            }
        }
    }

    async fn plan(&mut self, header: Header) -> Plan {
        match header.tag {
            b'D' => {}
            // Asynchronous: these come between rows too.
            b'N' | b'S' | b'A' => return Plan::Pass,
            b'T' | b'K' | b'R' | b'Z' if header.body <= MAX_READ_WHOLE => return Plan::Read,
            _ => return Plan::Pass,
        }
        if self.dropping || self.session.passes_rows {
            return Plan::Pass;
        }
        let find_shape = || self.session.flow.conversation().row_shape();
        let shape = self.rows.get_or_insert_with(find_shape);
        if !shape.may_hold_envelopes() {
            return Plan::Pass;
        }
        let shape = shape.clone();
        let limits = &self.session.shared.limits;
        if header.total() <= limits.max_open_row {
            if header.body > LONG_ROW && self.held.is_none() {
                self.held = limits.hold(header.total()).await;
            }
            if header.body <= LONG_ROW || self.held.is_some() {
                return Plan::Open(shape);
            }
        }
        match self.session.policy().on_refused {
            OnRefused::Ciphertext => {
                self.session.shared.metrics.long_rows_passed.inc();
                Plan::Pass
            }
            OnRefused::Null | OnRefused::Error => {
                self.session.opener().count_refused(&[Reason::RowTooLong]);
                Plan::Refuse
            }
        }
    }

    /// The message goes by in whatever pieces it comes.
    fn pass(&mut self, header: Header) {
        self.left = header.total();
        self.last_tag = header.tag;
        let reply = match header.tag {
            b'D' if self.dropping => Reply::Drop,
            b'D' => Reply::Pass,
            tag => {
                if !matches!(tag, b'N' | b'S' | b'A') {
                    self.rows = None;
                }
                let mut conversation = self.session.flow.conversation();
                match tag {
                    // Too long to be read: its rows have no types.
                    b'T' => conversation.described(&[]),
                    _ => conversation.reply(tag, None),
                }
            }
        };
        self.dropped = reply == Reply::Drop;
    }

    /// Looks at a message that is not a row.
    fn read(
        &mut self,
        tag: u8,
        body: &[u8],
        place: Range<usize>,
        edits: &mut Edits<'_>,
    ) -> Result<(), Ended> {
        self.last_tag = tag;
        self.rows = None;
        let mut conversation = self.session.flow.conversation();
        let reply = match tag {
            b'T' => conversation.described(body),
            b'Z' => {
                self.dropping = false;
                conversation.reply(tag, body.first().copied())
            }
            b'K' => {
                self.session.key_data(body);
                Reply::Pass
            }
            _ => {
                let edited = sasl::without_channel_binding(body).map_err(Ended::Malformed)?;
                if let Some(edited) = edited {
                    edits.replace(place.clone()).extend_from_slice(&edited);
                }
                Reply::Pass
            }
        };
        match reply {
            Reply::Pass => {}
            Reply::Drop => {
                edits.replace(place);
            }
            Reply::Ready(status) => {
                edits
                    .replace(place)
                    .extend_from_slice(&originate::ready_for_query(status));
            }
        }
        Ok(())
    }

    /// Opens what may be opened in a row, wholly under the settings of this moment.
    async fn open(
        &mut self,
        body: &[u8],
        shape: &Shape,
        place: Range<usize>,
        edits: &mut Edits<'_>,
    ) -> Result<(), Ended> {
        self.last_tag = b'D';
        self.leaving = self.held.take();
        let fields = Fields::parse(body).map_err(Ended::Malformed)?;
        let policy = self.session.policy();
        let opener = self.session.opener();
        let mut row = BytesMut::new();
        let mut open = |keys_are_final| {
            if body.len() <= LONG_ROW {
                return opener.open_row(fields, shape, policy, keys_are_final, &mut row);
            }
            tokio::task::block_in_place(|| {
                opener.open_row(fields, shape, policy, keys_are_final, &mut row)
            })
        };
        let outcome = match open(false) {
            Outcome::KeysMissing(missing) => {
                self.session.shared.keys.load(missing).await;
                open(true)
            }
            outcome => outcome,
        };
        match outcome {
            Outcome::Rewritten => edits.replace(place).extend_from_slice(&row),
            Outcome::Refused => self.refuse(place, edits),
            Outcome::Unchanged | Outcome::KeysMissing(_) => {}
        }
        // Private-key work adds up: other sessions get their turn.
        tokio::task::consume_budget().await;
        Ok(())
    }

    /// Puts an error into a row's place; what follows is dropped up to ReadyForQuery.
    fn refuse(&mut self, place: Range<usize>, edits: &mut Edits<'_>) {
        self.rows = None;
        self.dropping = true;
        self.session.flow.conversation().refuse();
        edits
            .replace(place)
            .extend_from_slice(&refusals::VALUE.to_message());
    }
}
