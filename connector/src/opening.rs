//! A session's beginning: a server is chosen, a tunnel opened, the start-up message sent, and the
//! first of the answer awaited. Where there are several servers, one that fails at any of it is
//! passed over, and the application hears nothing of it.
//!
//! What follows is `session`'s.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use chooser::{Leaving, Unserved};
use daemon::OnWake;
use tokio::io::AsyncWriteExt;
use tunnel::{ALPN_POSTGRESQL, Standing, Tunnel};
use wire::error;
use wire::frame::Header;
use wire::originate::Refusal;

use crate::listen::Stream;
use crate::refusals;
use crate::servers::{Chosen, Way};
use crate::session::{Failed, must_end};
use crate::shared::Shared;

/// Longest refusal of a server that is waited for whole, in bytes.
const MAX_REFUSAL: usize = 10_000;

/// SQLSTATEs with which a server or its database says that it cannot be had now, and another may:
/// connection exceptions, and shutting down, crashing or starting.
const ELSEWHERE: [&[u8]; 5] = [b"08001", b"08006", b"57P01", b"57P02", b"57P03"];

/// A session that a server has begun to answer.
pub struct Opened {
    /// The way there.
    pub tunnel: Tunnel,
    /// Where.
    pub chosen: Chosen,
    /// What it has said so far; nothing, where the application went on before it did.
    pub answer: BytesMut,
    /// What the application has said after its start-up message so far.
    pub early: BytesMut,
}

/// No session, and what to do about it.
pub struct Unopened {
    /// What the application is told.
    pub farewell: Farewell,
    /// What the log is.
    pub why: Option<Failed>,
}

/// The last that an application hears.
pub enum Farewell {
    /// This, of our own.
    Refusal(Refusal<'static>),
    /// The server's own words.
    Server(BytesMut),
    /// Nothing: the server has closed in good order without a word.
    Nothing,
}

/// How one attempt failed.
enum Attempt {
    /// The next server may do better.
    Next(Unopened),
    /// As above, and this one is merely slow.
    Slow(Unopened),
    /// No server can.
    Over(Unopened),
}

impl Unopened {
    fn new(refusal: Refusal<'static>, why: Failed) -> Self {
        Self {
            farewell: Farewell::Refusal(refusal),
            why: Some(why),
        }
    }
}

impl From<Unserved> for Unopened {
    fn from(unserved: Unserved) -> Self {
        let refusal = match unserved {
            Unserved::Nobody => refusals::NOBODY_SERVES,
            Unserved::NoPrimary => refusals::NO_PRIMARY,
            Unserved::QueueFull | Unserved::QueueTimeout => refusals::ALL_FULL,
        };
        Self::new(refusal, Failed::Unserved(unserved))
    }
}

/// Finds a server that takes the session.
///
/// # Errors
/// None does, or the session is to end: what the application is told, and the log.
pub async fn open(
    app: &mut Stream,
    listener: usize,
    startup: &[u8],
    shared: &Shared,
) -> Result<Opened, Unopened> {
    if shared.revoked.standing(Instant::now()) != Standing::Fresh {
        return Err(Unopened::new(
            refusals::REVOCATIONS_UNKNOWN,
            Failed::RevocationsUnknown,
        ));
    }
    let mut way = shared.servers.way(listener);
    let (mut last, mut early) = (None, BytesMut::new());
    loop {
        let chosen = match next(app, &mut early, &mut way, shared).await? {
            Ok(chosen) => chosen,
            // What the servers said is more to the point.
            Err(unserved) => return Err(last.unwrap_or_else(|| unserved.into())),
        };
        let begun = Instant::now();
        let tried = try_one(app, startup, &mut early, &chosen, &way, shared).await;
        let unopened = match tried {
            Ok((tunnel, answer)) => {
                if !answer.is_empty() {
                    chosen.connected(begun.elapsed());
                }
                return Ok(Opened {
                    tunnel,
                    chosen,
                    answer,
                    early,
                });
            }
            Err(Attempt::Over(unopened)) => return Err(unopened),
            Err(Attempt::Slow(unopened)) => {
                way.found_slow(&chosen);
                unopened
            }
            Err(Attempt::Next(unopened)) => {
                way.has_tried(&chosen);
                let why = unopened.why.as_ref().map(ToString::to_string);
                chosen.failed(&why.unwrap_or_else(|| "it closed without a word".to_owned()));
                unopened
            }
        };
        last = Some(unopened);
    }
}

/// The next server, unless the application goes, or this program ends, before there is one.
async fn next(
    app: &mut Stream,
    early: &mut BytesMut,
    way: &mut Way<'_>,
    shared: &Shared,
) -> Result<Result<Chosen, Unserved>, Unopened> {
    let mut ending = shared.ending.clone();
    let mut found = pin!(way.next());
    loop {
        let read = tokio::select! {
            biased;
            found = &mut found => return Ok(found),
            () = ending.begun() => {
                let farewell = Farewell::Refusal(refusals::SHUTDOWN);
                return Err(Unopened { farewell, why: None });
            }
            read = daemon::read_chunk(app, early), if early.is_empty() => read,
        };
        let why = match read {
            Ok(1..) => continue,
            Ok(0) => None,
            Err(error) => Some(Failed::Application(error)),
        };
        let farewell = Farewell::Nothing;
        return Err(Unopened { farewell, why });
    }
}

async fn try_one(
    app: &mut Stream,
    startup: &[u8],
    early: &mut BytesMut,
    chosen: &Chosen,
    way: &Way<'_>,
    shared: &Shared,
) -> Result<(Tunnel, BytesMut), Attempt> {
    let mut impatient = pin!(async {
        tokio::select! {
            _ = chosen.leaving() => {}
            () = chosen.doubt(), if !way.is_patient() => {}
        }
    });
    let slow = || {
        let why = Failed::Left(Leaving::Down);
        Attempt::Slow(Unopened::new(refusals::NO_SERVER, why))
    };
    let mut tunnel = tokio::select! {
        biased;
        tunnel = open_tunnel(&chosen.server.address, shared) => tunnel.map_err(|error| {
            Attempt::Next(Unopened::new(refusals::NO_SERVER, error))
        })?,
        () = &mut impatient => return Err(slow()),
    };
    let lost = |error| {
        shared.metrics.tunnels_lost.inc();
        Attempt::Next(Unopened::new(refusals::NOT_LET_IN, Failed::Lost(error)))
    };
    let sent = async {
        tunnel.stream.write_all(startup).await?;
        tunnel.stream.flush().await
    };
    sent.await.map_err(lost)?;

    let mut answer = BytesMut::new();
    let mut must_end = OnWake::new(Box::pin(must_end(&tunnel.server.serial, chosen, shared)));
    let mut silent = pin!(tokio::time::sleep(shared.answer_timeout));
    let over = |(refusal, why): (_, Option<Failed>)| {
        if why.is_some() {
            shared.metrics.tunnels_lost.inc();
        }
        let farewell = Farewell::Refusal(refusal);
        Attempt::Over(Unopened { farewell, why })
    };
    // An application that has more to say, or has closed, leaves no way back from this server.
    while early.is_empty() {
        let read = tokio::select! {
            biased;
            read = daemon::read_chunk(&mut tunnel.stream, &mut answer) => read,
            () = &mut impatient => return Err(slow()),
            told = &mut must_end => return Err(over(told)),
            more = daemon::read_chunk(app, early) => match more {
                Ok(_) => break,
                Err(error) => {
                    let why = Some(Failed::Application(error));
                    return Err(Attempt::Over(Unopened { farewell: Farewell::Nothing, why }));
                }
            },
            () = &mut silent => {
                let why = Failed::Silent(shared.answer_timeout);
                return Err(over((refusals::NO_ANSWER, Some(why))));
            }
        };
        match read {
            Ok(0) if answer.is_empty() => {
                let farewell = Farewell::Nothing;
                return Err(Attempt::Next(Unopened {
                    farewell,
                    why: None,
                }));
            }
            Ok(0) => break,
            Err(error) if answer.is_empty() => return Err(lost(error)),
            Err(_) => break,
            Ok(_) if !shared.servers.has_choice() => break,
            Ok(_) => {}
        }
        match judge(&answer) {
            Some(Judged::Taken) => break,
            Some(Judged::Elsewhere(code)) => {
                let why = Some(Failed::Refused(code));
                let farewell = Farewell::Server(answer);
                return Err(Attempt::Next(Unopened { farewell, why }));
            }
            None => {}
        }
    }
    drop(must_end);
    Ok((tunnel, answer))
}

/// What an answer is, as far as it has come.
enum Judged {
    /// The server has taken the session, or has refused it as any other would.
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

/// Opens a tunnel to a server, for a session or a cancel request.
///
/// # Errors
/// What stands in the way.
pub async fn open_tunnel(address: &str, shared: &Shared) -> Result<Tunnel, Failed> {
    let limit: Duration = shared.connect_timeout;
    tunnel::connect(address, &shared.tls, ALPN_POSTGRESQL, limit, shared.tuning)
        .await
        .inspect_err(|_| {
            shared.metrics.tunnels_failed.inc();
        })
        .map_err(Into::into)
}
