//! How a session begins on a server: by a tunnel. Which server, and which after that, is `chooser`'s;
//! what follows is `session`'s.

use std::time::{Duration, Instant};

use chooser::{Beginner, Begun, Chosen, Unbegun, Unserved};
use tunnel::{ALPN_POSTGRESQL, PeerCertificate, Standing, Tunnel, TunnelStream};
use wire::originate::Refusal;

use crate::listen::Stream;
use crate::refusals;
use crate::servers::Fleet;
use crate::session::{Ending, Failed, must_end};
use crate::shared::Shared;

/// A session that a server has begun to answer.
pub type Opened<'a> = Begun<Fleet, Tunnels<'a>>;

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
    Server(bytes::BytesMut),
    /// Nothing: the server has closed in good order without a word, or the application is gone.
    Nothing,
}

/// Begins sessions by tunnels.
pub struct Tunnels<'a>(&'a Shared);

impl Beginner<Fleet> for Tunnels<'_> {
    type Stream = TunnelStream;
    type Peer = PeerCertificate;
    type Error = Failed;
    type Ending = Ending;

    async fn connect(
        &self,
        chosen: &Chosen<Fleet>,
    ) -> Result<(Self::Stream, Self::Peer), Self::Error> {
        let Tunnel { stream, server } = open_tunnel(chosen.name(), self.0).await?;
        Ok((stream, server))
    }

    async fn must_end(&self, peer: Option<&PeerCertificate>) -> Self::Ending {
        must_end(peer.map(|peer| &peer.serial), None, self.0).await
    }

    fn answer_timeout(&self) -> Duration {
        self.0.answer_timeout
    }
}

/// Finds a server that takes the session.
///
/// # Errors
/// None does, or the session is to end: what the application is told, and the log.
pub async fn open<'a>(
    app: &mut Stream,
    listener: usize,
    startup: &[u8],
    shared: &'a Shared,
) -> Result<Opened<'a>, Unopened> {
    if shared.revoked.standing(Instant::now()) != Standing::Fresh {
        return Err(Unopened::new(
            refusals::REVOCATIONS_UNKNOWN,
            Failed::RevocationsUnknown,
        ));
    }
    let way = shared.servers.ways().way(listener);
    let begun = chooser::begin(&Tunnels(shared), way, app, startup).await;
    begun.map_err(|unbegun| {
        if unbegun.is_lost() {
            shared.metrics.tunnels_lost.inc();
        }
        unbegun.into()
    })
}

impl Unopened {
    fn new(refusal: Refusal<'static>, why: Failed) -> Self {
        Self {
            farewell: Farewell::Refusal(refusal),
            why: Some(why),
        }
    }
}

impl From<Unbegun<Failed, Ending>> for Unopened {
    fn from(unbegun: Unbegun<Failed, Ending>) -> Self {
        let (farewell, why) = match unbegun {
            Unbegun::Unserved(unserved) => {
                let refusal = match unserved {
                    Unserved::Nobody => refusals::NOBODY_SERVES,
                    Unserved::NoPrimary => refusals::NO_PRIMARY,
                    Unserved::QueueFull | Unserved::QueueTimeout => refusals::ALL_FULL,
                };
                (Farewell::Refusal(refusal), Some(Failed::Unserved(unserved)))
            }
            Unbegun::Unconnected(error) => (Farewell::Refusal(refusals::NO_SERVER), Some(error)),
            Unbegun::Lost(error) => (
                Farewell::Refusal(refusals::NOT_LET_IN),
                Some(Failed::Lost(error)),
            ),
            Unbegun::Down => (
                Farewell::Refusal(refusals::NO_SERVER),
                Some(Failed::Left(chooser::Leaving::Down)),
            ),
            Unbegun::Refused(code, words) => (Farewell::Server(words), Some(Failed::Refused(code))),
            Unbegun::Silent(limit) => (
                Farewell::Refusal(refusals::NO_ANSWER),
                Some(Failed::Silent(limit)),
            ),
            Unbegun::Closed => (Farewell::Nothing, None),
            Unbegun::Gone(error) => (Farewell::Nothing, error.map(Failed::Application)),
            Unbegun::MustEnd((refusal, why)) => (Farewell::Refusal(refusal), why),
        };
        Self { farewell, why }
    }
}

/// Opens a tunnel to a server, for a session or a cancel request.
///
/// # Errors
/// What stands in the way.
pub async fn open_tunnel(address: &str, shared: &Shared) -> Result<Tunnel, Failed> {
    let limit = shared.connect_timeout;
    tunnel::connect(address, &shared.tls, ALPN_POSTGRESQL, limit, shared.tuning)
        .await
        .inspect_err(|_| {
            shared.metrics.tunnels_failed.inc();
        })
        .map_err(Into::into)
}
