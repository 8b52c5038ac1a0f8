//! A session's beginning: an endpoint is chosen and connected to, the start-up packet sent, and the first
//! of the answer awaited. One that fails at any of it is passed over.

use std::fmt;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use daemon::OnWake;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use wire::error;
use wire::frame::Header;

use crate::chooser::Owner;
use crate::search::Unserved;
use crate::way::{Chosen, Way};

/// Longest refusal of an endpoint that is waited for whole, in bytes.
const MAX_REFUSAL: usize = 10_000;

/// SQLSTATEs with which an endpoint says that it cannot be had now, and another may: connection
/// exceptions, and shutting down, crashing or starting.
const ELSEWHERE: [&[u8]; 5] = [b"08001", b"08006", b"57P01", b"57P02", b"57P03"];

/// What whoever begins sessions does about them.
pub trait Beginner<O: Owner> {
    /// A connection to an endpoint.
    type Stream: AsyncRead + AsyncWrite + Unpin;
    /// What is known of who answers there.
    type Peer;
    /// Why there is none.
    type Error: fmt::Display;
    /// Why a session is to end although neither side has ended it.
    type Ending;

    /// Connects, up to where the start-up packet is sent.
    fn connect(
        &self,
        chosen: &Chosen<O>,
    ) -> impl Future<Output = Result<(Self::Stream, Self::Peer), Self::Error>>;

    /// Returns when the session is not to begin at all: while it looks for an endpoint, or waits for
    /// the answer of this one.
    fn must_end(&self, peer: Option<&Self::Peer>) -> impl Future<Output = Self::Ending>;

    /// How long an endpoint may take to its first answer.
    fn answer_timeout(&self) -> Duration;
}

/// A session that an endpoint has begun to answer.
pub struct Begun<O: Owner, B: Beginner<O>> {
    /// Where.
    pub chosen: Chosen<O>,
    /// The connection.
    pub stream: B::Stream,
    /// Who answers there.
    pub peer: B::Peer,
    /// What came from there so far; nothing, where the application went on before anything did.
    pub answer: BytesMut,
    /// What the application has said after its start-up packet so far.
    pub early: BytesMut,
}

/// Why a session has not begun: of several endpoints, the last one's reason.
#[derive(Debug)]
pub enum Unbegun<E, D> {
    /// There is no endpoint for it.
    Unserved(Unserved),
    /// There is no connection.
    Unconnected(E),
    /// The connection broke before there was an answer.
    Lost(io::Error),
    /// The endpoint was down before it answered.
    Down,
    /// The endpoint refused with this SQLSTATE, in these words.
    Refused(String, BytesMut),
    /// The endpoint closed without a word.
    Closed,
    /// The endpoint said nothing for so long.
    Silent(Duration),
    /// The application has gone; with an error, if it did not just close.
    Gone(Option<io::Error>),
    /// It was not to begin at all.
    MustEnd(D),
}

/// How one attempt failed.
enum Attempt<E, D> {
    /// The next endpoint may do better.
    Next(Unbegun<E, D>),
    /// As above, and this one is merely slow.
    Slow,
    /// None can.
    Over(Unbegun<E, D>),
}

/// Finds an endpoint that takes the session, and waits for the first of its answer.
///
/// # Errors
/// None does, or the session is not to begin.
pub async fn begin<O: Owner, B: Beginner<O>>(
    beginner: &B,
    mut way: Way<O>,
    app: &mut (impl AsyncRead + Unpin),
    startup: &[u8],
) -> Result<Begun<O, B>, Unbegun<B::Error, B::Ending>> {
    let (mut last, mut early) = (None, BytesMut::new());
    loop {
        let chosen = match next(beginner, app, &mut early, &mut way).await? {
            Ok(chosen) => chosen,
            // It has waited for another since.
            Err(none @ Unserved::NoPrimary) => return Err(Unbegun::Unserved(none)),
            // What an endpoint said is more to the point.
            Err(none) => return Err(last.unwrap_or(Unbegun::Unserved(none))),
        };
        let begun = Instant::now();
        let tried = attempt(beginner, app, startup, &mut early, &chosen, &way).await;
        match tried {
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
            Err(Attempt::Over(unbegun)) => return Err(unbegun),
            Err(Attempt::Slow) => {
                way.found_slow(&chosen);
                last = Some(Unbegun::Down);
            }
            Err(Attempt::Next(unbegun)) => {
                way.has_tried(&chosen);
                chosen.failed(&unbegun.to_string());
                last = Some(unbegun);
            }
        }
    }
}

/// The next endpoint, unless the application goes, or the session must end, before there is one.
async fn next<O: Owner, B: Beginner<O>>(
    beginner: &B,
    app: &mut (impl AsyncRead + Unpin),
    early: &mut BytesMut,
    way: &mut Way<O>,
) -> Result<Result<Chosen<O>, Unserved>, Unbegun<B::Error, B::Ending>> {
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

async fn attempt<O: Owner, B: Beginner<O>>(
    beginner: &B,
    app: &mut (impl AsyncRead + Unpin),
    startup: &[u8],
    early: &mut BytesMut,
    chosen: &Chosen<O>,
    way: &Way<O>,
) -> Result<(B::Stream, B::Peer, BytesMut), Attempt<B::Error, B::Ending>> {
    let mut impatient = pin!(async {
        tokio::select! {
            _ = chosen.leaving() => {}
            () = chosen.doubt(), if !way.is_patient() => {}
        }
    });
    let (mut stream, peer) = tokio::select! {
        biased;
        connected = beginner.connect(chosen) => {
            connected.map_err(|error| Attempt::Next(Unbegun::Unconnected(error)))?
        }
        () = &mut impatient => return Err(Attempt::Slow),
    };
    let lost = |error| Attempt::Next(Unbegun::Lost(error));
    stream.write_all(startup).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;

    let mut answer = BytesMut::new();
    let limit = beginner.answer_timeout();
    let mut silent = pin!(tokio::time::sleep(limit));
    let mut must_end = OnWake::new(Box::pin(beginner.must_end(Some(&peer))));
    // An application that has more to say, or has closed, leaves no way back from this endpoint.
    while early.is_empty() {
        let read = tokio::select! {
            biased;
            read = daemon::read_chunk(&mut stream, &mut answer) => read,
            () = &mut impatient => return Err(Attempt::Slow),
            why = &mut must_end => return Err(Attempt::Over(Unbegun::MustEnd(why))),
            more = daemon::read_chunk(app, early) => match more {
                Ok(_) => break,
                Err(error) => return Err(Attempt::Over(Unbegun::Gone(Some(error)))),
            },
            () = &mut silent => return Err(Attempt::Over(Unbegun::Silent(limit))),
        };
        match read {
            Ok(0) if answer.is_empty() => return Err(Attempt::Next(Unbegun::Closed)),
            Err(error) if answer.is_empty() => return Err(lost(error)),
            // What has come is passed on, and then that no more does.
            Ok(0) | Err(_) => break,
            Ok(_) if !way.has_choice() => break,
            Ok(_) => {}
        }
        match judge(&answer) {
            Some(Judged::Taken) => break,
            Some(Judged::Elsewhere(code)) => {
                return Err(Attempt::Next(Unbegun::Refused(code, answer)));
            }
            None => {}
        }
    }
    drop(must_end);
    Ok((stream, peer, answer))
}

/// What an answer is, as far as it has come.
enum Judged {
    /// The endpoint has taken the session, or has refused it as any other would.
    Taken,
    /// Another may take it.
    Elsewhere(String),
}

/// Nothing, while it cannot be said.
fn judge(answer: &[u8]) -> Option<Judged> {
    if answer.first() != Some(&b'E') {
        return Some(Judged::Taken);
    }
    let header = match Header::parse(answer) {
        Ok(Some(header)) if header.total() <= MAX_REFUSAL => header,
        Ok(None) => return None,
        Ok(Some(_)) | Err(_) => return Some(Judged::Taken),
    };
    let body = answer.get(Header::LEN..header.total())?;
    Some(match error::field(body, error::CODE) {
        Some(code) if ELSEWHERE.contains(&code) => {
            Judged::Elsewhere(String::from_utf8_lossy(code).into_owned())
        }
        _ => Judged::Taken,
    })
}

impl<E, D> Unbegun<E, D> {
    /// Whether an endpoint had taken a connection, and did not answer.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Silent(_))
    }
}

impl<E: fmt::Display, D> fmt::Display for Unbegun<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unserved(unserved) => unserved.fmt(f),
            Self::Unconnected(error) => error.fmt(f),
            Self::Lost(error) => match error.kind() {
                // TLS explains an end without a goodbye at length; here it means one thing.
                io::ErrorKind::UnexpectedEof => f.write_str("it vanished before it answered"),
                _ => write!(f, "it was lost before it answered: {error}"),
            },
            Self::Down => f.write_str("it does not answer any more"),
            Self::Refused(code, _) => write!(f, "it refused the session with {code}"),
            Self::Closed => f.write_str("it closed without a word"),
            Self::Silent(limit) => write!(f, "it said nothing for {} ms", limit.as_millis()),
            Self::Gone(Some(error)) => write!(f, "the application's connection: {error}"),
            Self::Gone(None) => f.write_str("the application has gone"),
            Self::MustEnd(_) => f.write_str("the session was not to begin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> Vec<u8> {
        let body = [b"SFATAL\0C".as_slice(), code.as_bytes(), b"\0Mno\0\0"].concat();
        let length = u32::try_from(body.len() + 4).unwrap();
        [b"E".as_slice(), &length.to_be_bytes(), &body].concat()
    }

    #[test]
    fn only_a_refusal_that_another_endpoint_may_not_repeat_is_passed_over() {
        for (code, elsewhere) in [("57P03", true), ("08006", true), ("28P01", false)] {
            let refusal = error(code);
            for cut in 1..refusal.len() {
                assert!(judge(&refusal[..cut]).is_none(), "{code} cut at {cut}");
            }
            match judge(&refusal) {
                Some(Judged::Elsewhere(found)) => {
                    assert_eq!((found.as_str(), elsewhere), (code, true))
                }
                Some(Judged::Taken) => assert!(!elsewhere, "{code}"),
                None => panic!("{code} is whole"),
            }
        }
        // Whatever begins otherwise is an answer, and so is what cannot be a refusal.
        assert!(matches!(judge(b"R"), Some(Judged::Taken)));
        let endless = [b"E".as_slice(), &u32::MAX.to_be_bytes()].concat();
        assert!(matches!(judge(&endless), Some(Judged::Taken)));
        let long = [b"E".as_slice(), &(1_u32 << 20).to_be_bytes()].concat();
        assert!(matches!(judge(&long), Some(Judged::Taken)));
    }
}
