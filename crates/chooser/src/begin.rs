//! A session's beginning: an endpoint is chosen and connected to, the start-up packet sent, and the first
//! of the answer awaited. One that fails at any of it is passed over.

mod answer;
mod unbegun;

use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use daemon::OnWake;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::chooser::Checker;
use crate::search::Unserved;
use crate::way::{Chosen, Way};
use answer::{Judged, judge};

pub use unbegun::Unbegun;

/// What whoever begins sessions does about them.
pub trait Beginner<C: Checker> {
    /// A connection to an endpoint.
    type Stream: AsyncRead + AsyncWrite + Unpin;
    /// What is known of who answers there.
    type Peer;
    /// Why there is none.
    type Error: fmt::Display;
    /// Why a session is to end although neither side has ended it.
    type Ending;

    /// Connects, up to where the start-up packet is sent; to a connection that was kept for this, unless
    /// it is to be a `fresh` one.
    fn connect(
        &self,
        chosen: &Chosen<C>,
        fresh: bool,
    ) -> impl Future<Output = Result<(Self::Stream, Self::Peer), Self::Error>>;

    /// Whether a connection was kept, and may have been lost meanwhile.
    fn was_kept(&self, peer: &Self::Peer) -> bool;

    /// Returns when the session is not to begin at all: while it looks for an endpoint, or waits for
    /// the answer of this one.
    fn must_end(&self, peer: Option<&Self::Peer>) -> impl Future<Output = Self::Ending>;

    /// How long an endpoint may take to its first answer.
    fn answer_timeout(&self) -> Duration;
}

/// A session that an endpoint has begun to answer.
pub struct Begun<C: Checker, B: Beginner<C>> {
    /// Where.
    pub chosen: Chosen<C>,
    /// The connection.
    pub stream: B::Stream,
    /// Who answers there.
    pub peer: B::Peer,
    /// What came from there so far; nothing, where the application went on before anything did.
    pub answer: BytesMut,
    /// What the application has said after its start-up packet so far.
    pub early: BytesMut,
}

/// How one attempt failed.
enum Failed<E, D> {
    /// The next endpoint may do better.
    Next(Unbegun<E, D>),
    /// As above, and this one is merely slow.
    Slow,
    /// A connection that was kept is none any more: a fresh one to the same endpoint may do better.
    Stale,
    /// None can.
    Over(Unbegun<E, D>),
}

/// Finds an endpoint that takes the session, and waits for the first of its answer.
///
/// # Errors
/// None does, or the session is not to begin.
pub async fn begin<C: Checker, B: Beginner<C>>(
    beginner: &B,
    mut way: Way<C>,
    app: &mut (impl AsyncRead + Unpin),
    startup: &[u8],
) -> Result<Begun<C, B>, Unbegun<B::Error, B::Ending>> {
    let (mut last, mut early) = (None, BytesMut::new());
    'next: loop {
        let chosen = match next(beginner, app, &mut early, &mut way).await? {
            Ok(chosen) => chosen,
            // What an endpoint said is more to the point; but whoever has waited for another primary
            // since is told of that, and not of a connection that failed before.
            Err(none) => {
                return Err(match (none, last) {
                    (_, Some(words @ Unbegun::Refused(..))) => words,
                    (Unserved::NoPrimary, _) | (_, None) => Unbegun::Unserved(none),
                    (_, Some(last)) => last,
                });
            }
        };
        for fresh in [false, true] {
            let begun = Instant::now();
            let attempt = Attempt {
                beginner,
                startup,
                chosen: &chosen,
                way: &way,
                fresh,
            };
            match attempt.make(app, &mut early).await {
                Ok((stream, peer, answer)) => {
                    if !answer.is_empty() {
                        chosen.connected(begun.elapsed());
                    }
                    return Ok(Begun {
                        chosen,
                        stream,
                        peer,
                        answer,
                        early,
                    });
                }
                Err(Failed::Over(unbegun)) => return Err(unbegun),
                Err(Failed::Stale) => {}
                Err(Failed::Slow) => {
                    way.found_slow(&chosen);
                    last = Some(Unbegun::Down);
                    continue 'next;
                }
                Err(Failed::Next(unbegun)) => {
                    way.has_tried(&chosen);
                    chosen.failed(&unbegun.to_string());
                    last = Some(unbegun);
                    continue 'next;
                }
            }
        }
    }
}

/// The next endpoint, unless the application goes, or the session must end, before there is one.
async fn next<C: Checker, B: Beginner<C>>(
    beginner: &B,
    app: &mut (impl AsyncRead + Unpin),
    early: &mut BytesMut,
    way: &mut Way<C>,
) -> Result<Result<Chosen<C>, Unserved>, Unbegun<B::Error, B::Ending>> {
    let mut found = pin!(way.next());
    let mut must_end = pin!(beginner.must_end(None));
    loop {
        let read = tokio::select! {
            biased;
            found = &mut found => return Ok(found),
            why = &mut must_end => return Err(Unbegun::MustEnd(why)),
            read = daemon::read_chunk(app, early), if early.is_empty() => read,
        };
        match read {
            Ok(1..) => {}
            Ok(0) => return Err(Unbegun::Gone(None)),
            Err(error) => return Err(Unbegun::Gone(Some(error))),
        }
    }
}

/// One attempt to begin on one endpoint.
struct Attempt<'a, C: Checker, B> {
    beginner: &'a B,
    startup: &'a [u8],
    chosen: &'a Chosen<C>,
    way: &'a Way<C>,
    fresh: bool,
}

impl<C: Checker, B: Beginner<C>> Attempt<'_, C, B> {
    async fn make(
        &self,
        app: &mut (impl AsyncRead + Unpin),
        early: &mut BytesMut,
    ) -> Result<(B::Stream, B::Peer, BytesMut), Failed<B::Error, B::Ending>> {
        let mut impatient = pin!(async {
            tokio::select! {
                _ = self.chosen.leaving() => {}
                () = self.chosen.doubt(), if !self.way.is_patient() => {}
            }
        });
        let (mut stream, peer) = tokio::select! {
            biased;
            connected = self.beginner.connect(self.chosen, self.fresh) => {
                connected.map_err(|error| Failed::Next(Unbegun::Unconnected(error)))?
            }
            () = &mut impatient => return Err(Failed::Slow),
        };
        let lost = |unbegun| match self.beginner.was_kept(&peer) {
            true => Failed::Stale,
            false => Failed::Next(unbegun),
        };
        let sent = async {
            stream.write_all(self.startup).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| lost(Unbegun::Lost(error)))?;

        let mut answer = BytesMut::new();
        let limit = self.beginner.answer_timeout();
        let mut silent = pin!(tokio::time::sleep(limit));
        let mut must_end = OnWake::new(Box::pin(self.beginner.must_end(Some(&peer))));
        // An application that has more to say, or has closed, leaves no way back from this endpoint.
        while early.is_empty() {
            let read = tokio::select! {
                biased;
                read = daemon::read_chunk(&mut stream, &mut answer) => read,
                () = &mut impatient => return Err(Failed::Slow),
                why = &mut must_end => return Err(Failed::Over(Unbegun::MustEnd(why))),
                more = daemon::read_chunk(app, early) => match more {
                    Ok(_) => break,
                    Err(error) => return Err(Failed::Over(Unbegun::Gone(Some(error)))),
                },
                () = &mut silent => return Err(Failed::Over(Unbegun::Silent(limit))),
            };
            match read {
                Ok(0) if answer.is_empty() => return Err(lost(Unbegun::Closed)),
                Err(error) if answer.is_empty() => return Err(lost(Unbegun::Lost(error))),
                // What has come is passed on, and then that no more does.
                Ok(0) | Err(_) => break,
                Ok(_) if !self.way.has_choice() => break,
                Ok(_) => {}
            }
            match judge(&answer) {
                Some(Judged::Taken) => break,
                Some(Judged::Elsewhere(code)) => {
                    return Err(Failed::Next(Unbegun::Refused(code, answer)));
                }
                None => {}
            }
        }
        drop(must_end);
        Ok((stream, peer, answer))
    }
}
