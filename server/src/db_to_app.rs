//! From the database to the application: every message as it came, but for rows in which a value
//! opens, and what follows a refusal.
//!
//! A chunk in which nothing changes leaves in one write from the buffer it came into. The beginning of
//! a short message at its end waits for the rest. What becomes of a row is in `rows`, of COPY's data
//! in `copying`, of other messages that are looked at in `replies`.

mod copying;
mod replies;
mod rows;

use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use chooser::Chosen;
use daemon::OnWake;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::originate::Refusal;
use wire::{Header, frame};

use crate::conversation::Reply;
use crate::copy_out::CopyOut;
use crate::databases::Nodes;
use crate::edits::Edits;
use crate::limits::{Held, PATIENCE};
use crate::refusals;
use crate::session::{Ended, Session};
use crate::shape::{Ahead, Markers, Shape};

/// A buffer larger than this is given back when it is empty.
const KEEP: usize = 256 << 10;

/// RowDescription, ErrorResponse, AuthenticationSASL and other short ones are read whole up to this
/// length; 1,600 columns with the longest names need a tenth of it. Longer ones pass unread.
const MAX_READ_WHOLE: usize = 1 << 20;

/// A message up to this length leaves whole or not at all, so that the application can be told of a
/// database that is lost in the middle of it. Longer ones pass in the pieces they come in.
const WHOLE: usize = 8 << 10;

/// A long row is written in parts of this many bytes, each with its time limit.
const PART: usize = 256 << 10;

/// What is to be done with the message at the front.
enum Plan {
    /// A row that may hold envelopes, or a function's result: read whole and opened.
    Open(Arc<Shape>),
    /// Data of a COPY, here whole; whether the rows that begin in it are opened.
    Copy { opens: bool },
    /// Read whole and looked at.
    Read,
    /// Passes in pieces; only its type matters.
    Pass,
    /// A row that is too long to be opened, and may not pass unopened.
    Refuse,
    /// More of it must arrive, or memory for it be found, before it can be said.
    Wait,
}

/// The direction's state between two messages.
pub struct DbToApp<'a> {
    session: &'a Session,
    /// Its database, where it was chosen.
    chosen: Option<&'a Chosen<Nodes>>,
    /// Bytes of the current message that go by in pieces, and whether the application sees them.
    left: usize,
    dropped: bool,
    /// Rows are dropped: one before them was refused.
    dropping: bool,
    /// The shape of the rows that come now, found once a result.
    rows: Option<Arc<Shape>>,
    /// The COPY whose data comes now.
    copy: Option<CopyOut>,
    memory: Memory,
    /// The application logs in, and was not offered the channel binding that the database offers.
    binding_withheld: bool,
    /// Type of the last message that left.
    last_tag: u8,
}

/// Memory for long rows.
enum Memory {
    /// None is accounted for.
    None,
    /// The row at the front has this many bytes and no memory yet.
    Wanted(usize),
    /// For the row that is coming in, up to so many bytes.
    For(Held, usize),
    /// There is none for the row at the front: it is too long.
    Refused,
}

impl<'a> DbToApp<'a> {
    /// At the start of a session.
    #[must_use]
    pub fn new(session: &'a Session, chosen: Option<&'a Chosen<Nodes>>) -> Self {
        Self {
            session,
            chosen,
            left: 0,
            dropped: false,
            dropping: false,
            rows: None,
            copy: None,
            memory: Memory::None,
            binding_withheld: false,
            last_tag: 0,
        }
    }

    /// Carries messages until the database's side ends, and tells the application why it did. The
    /// database has said `answer` already.
    ///
    /// # Errors
    /// It ended otherwise than by the database closing it.
    pub async fn run(
        mut self,
        mut db: impl AsyncRead + Unpin,
        answer: BytesMut,
        mut app: impl AsyncWrite + Unpin,
    ) -> Result<(), Ended> {
        let end = self.carry(&mut db, answer, &mut app).await;
        // PostgreSQL itself may have said it, and whoever said goodbye wants to hear nothing. In
        // the middle of a message nothing can be said.
        let silent = self.last_tag == b'E' || self.session.flow.is_terminated() || self.left > 0;
        let farewell = match &end {
            Ok(()) => Some(refusals::DATABASE_GONE),
            Err(ended) => ended.farewell(),
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
        answer: BytesMut,
        app: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Ended> {
        let session = self.session;
        let must_end = pin!(session.must_end(self.chosen));
        let mut must_end = OnWake::new(must_end);
        let patience = session.shared.answer_timeout;
        let mut silent = pin!(tokio::time::sleep(patience));
        // There may be more in it that is whole: what has come before, or behind a long row.
        let mut has_more = !answer.is_empty();
        let mut input = answer;
        loop {
            if !self.find_memory(&mut input).await && !has_more {
                let read = tokio::select! {
                    biased;
                    ended = &mut must_end => {
                        self.finish_message(db, app).await?;
                        return Err(ended);
                    }
                    read = daemon::read_chunk(db, &mut input) => read.map_err(Ended::Database)?,
                    () = &mut silent, if self.last_tag == 0 => {
                        return Err(Ended::Silent(patience));
                    }
                };
                if read == 0 {
                    return Ok(());
                }
            }
            let mut edits = Edits::new(&input);
            let (mut taken, mut leaving) = (0, None);
            let readable = self.take(&mut edits, &mut taken, &mut leaving).await;
            self.session.flow.replies_came();
            // What stands before a message that cannot be read still leaves.
            write(app, edits.finish(taken), leaving.is_some())
                .await
                .map_err(Ended::Application)?;
            has_more = leaving.take().is_some();
            readable?;
            input.advance(taken);
            if has_more || input.is_empty() && input.capacity() > KEEP {
                // Its memory is not accounted for any more, though the next message has begun.
                input = BytesMut::from(input.as_ref());
            }
        }
    }

    /// Carries what is left of a message that goes by in pieces, so that something can be said behind
    /// it. How long that may take is bounded by who ended the session.
    async fn finish_message(
        &mut self,
        db: &mut (impl AsyncRead + Unpin),
        app: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Ended> {
        let mut piece = BytesMut::new();
        while self.left > 0 {
            piece.clear();
            let mut rest = (&mut *db).take(u64::try_from(self.left).unwrap_or(u64::MAX));
            let read = daemon::read_chunk(&mut rest, &mut piece)
                .await
                .map_err(Ended::Database)?;
            if read == 0 {
                return Ok(());
            }
            if !self.dropped {
                write(app, &piece, false)
                    .await
                    .map_err(Ended::Application)?;
            }
            self.left -= read;
        }
        Ok(())
    }

    /// Waits for memory if the row at the front of `input` wants some, and makes room for it there.
    /// False when none was wanted.
    async fn find_memory(&mut self, input: &mut BytesMut) -> bool {
        let Memory::Wanted(length) = self.memory else {
            return false;
        };
        self.memory = match self.session.shared.limits.hold(length).await {
            Some(held) => {
                // At once: a buffer that grows takes twice as much on the way.
                input.reserve((length + daemon::CHUNK).saturating_sub(input.len()));
                Memory::For(held, length)
            }
            None => Memory::Refused,
        };
        true
    }

    /// Memory of a long row that is done with goes to `leaving`; false when there is none.
    fn leaves(&mut self, leaving: &mut Option<Held>) -> bool {
        let memory = std::mem::replace(&mut self.memory, Memory::None);
        if let Memory::For(held, _) = memory {
            *leaving = Some(held);
        }
        leaving.is_some()
    }

    /// Goes over what has arrived, message by message. `at` counts the bytes that are done with; the
    /// rest begins a message that must be whole, or that cannot be read. Memory of a long row that
    /// is done with goes to `leaving`.
    async fn take(
        &mut self,
        edits: &mut Edits<'_>,
        at: &mut usize,
        leaving: &mut Option<Held>,
    ) -> Result<(), Ended> {
        let input = edits.input();
        let mut ahead = Ahead::new(input);
        loop {
            let piece = self.left.min(input.len() - *at);
            if let Some(copy) = &mut self.copy {
                copy.passed(input.get(*at..*at + piece).unwrap_or_default());
            }
            if self.dropped && piece > 0 {
                edits.replace(*at..*at + piece);
            }
            self.left -= piece;
            *at += piece;
            *at += self.pass_rows(&mut ahead, *at);
            let rest = input.get(*at..).unwrap_or_default();
            let Some(header) = Header::parse(rest).map_err(Ended::Framing)? else {
                return Ok(());
            };
            let place = *at..*at + header.total();
            let (end, whole) = (place.end, input.get(*at + Header::LEN..place.end));
            if whole.is_none() && header.total() <= WHOLE {
                return Ok(());
            }
            match (self.plan(header, rest), whole) {
                (Plan::Wait, _) | (Plan::Open(_) | Plan::Copy { .. } | Plan::Read, None) => {
                    return Ok(());
                }
                (Plan::Open(shape), Some(body)) => {
                    self.open(header.tag, body, &shape, place, edits).await?;
                    *at = end;
                    if self.leaves(leaving) {
                        return Ok(());
                    }
                }
                (Plan::Copy { opens }, Some(body)) => {
                    let behind = input.get(end..).unwrap_or_default();
                    self.copy_data(body, behind, opens, place, edits).await;
                    *at = end;
                    if self.leaves(leaving) {
                        return Ok(());
                    }
                }
                (Plan::Read, Some(body)) => {
                    self.read(header.tag, body, place, edits)?;
                    *at = end;
                }
                (Plan::Refuse, _) => {
                    self.refuse(*at..*at, &refusals::VALUE, edits);
                    self.pass(header);
                }
                (Plan::Pass, _) => self.pass(header),
            }
        }
    }

    /// Rows that pass as they stand: nothing is sealed in them, or it is none of ours. Answers bytes of
    /// those that begin at `at`.
    fn pass_rows(&mut self, ahead: &mut Ahead<'_>, at: usize) -> usize {
        let markers = match &self.rows {
            _ if self.dropping || self.left > 0 => return 0,
            _ if self.session.passes_rows => Markers::NONE,
            Some(shape) => shape.markers(),
            None => return 0,
        };
        let passed = frame::run_of(b'D', ahead.without(markers, at));
        if passed > 0 {
            self.last_tag = b'D';
        }
        passed
    }

    fn plan(&mut self, header: Header, rest: &[u8]) -> Plan {
        match header.tag {
            b'D' | b'V' | b'd' if self.dropping || self.session.passes_rows => Plan::Pass,
            b'D' => self.plan_row(header, rest),
            b'S' => {
                if let Some(body) = rest.get(Header::LEN..header.total()) {
                    self.session.parameter(body);
                }
                Plan::Pass
            }
            b'V' => self.plan_function_result(header),
            b'd' => self.plan_copy(header, rest),
            b'T' | b'H' | b'K' | b'R' | b'Z' | b'C' | b'E' if header.body <= MAX_READ_WHOLE => {
                Plan::Read
            }
            _ => Plan::Pass,
        }
    }

    /// The message goes by in whatever pieces it comes.
    fn pass(&mut self, header: Header) {
        self.left = header.total();
        let reply = match header.tag {
            b'D' if self.dropping => Reply::Drop,
            b'D' => Reply::Pass,
            tag => {
                if !matches!(tag, b'N' | b'S' | b'A') {
                    self.rows = None;
                    if tag != b'd' {
                        self.copy = None;
                    }
                }
                let mut conversation = self.session.flow.conversation();
                match tag {
                    // Too long to be read: its rows have no types.
                    b'T' => conversation.described(&[]),
                    b'H' => conversation.copy_out_begins().0,
                    _ => conversation.reply(tag, None),
                }
            }
        };
        self.dropped = reply == Reply::Drop;
        if !self.dropped {
            self.last_tag = header.tag;
        }
    }

    /// Puts an error into a row's place; what follows is dropped up to ReadyForQuery.
    fn refuse(&mut self, place: Range<usize>, why: &Refusal<'_>, edits: &mut Edits<'_>) {
        (self.rows, self.copy) = (None, None);
        self.dropping = true;
        self.last_tag = b'D';
        self.session.flow.conversation().refuse();
        edits.replace(place).extend_from_slice(&why.to_message());
    }
}

/// Writes what leaves. While it holds memory that other sessions wait for, an application that does
/// not read is waited for only so long.
async fn write(app: &mut (impl AsyncWrite + Unpin), bytes: &[u8], holds: bool) -> io::Result<()> {
    if holds {
        for part in bytes.chunks(PART) {
            tokio::time::timeout(PATIENCE, app.write_all(part)).await??;
        }
    } else {
        app.write_all(bytes).await?;
    }
    app.flush().await
}
