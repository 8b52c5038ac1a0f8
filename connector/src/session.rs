//! One application's session: the bytes both ways, unchanged. What it wants is `startup`'s; which server
//! it goes to, and how it begins there, `opening`'s.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use chooser::{Chosen, Leaving, Unserved};
use daemon::{OnWake, Place, Shutdown};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tunnel::Serial;
use wire::frame::Boundaries;
use wire::originate::Refusal;
use wire::startup::StartupError;

use crate::cancels;
use crate::listen::{Peer, Source, Stream};
use crate::opening::{self, Answering, Farewell, Opened};
use crate::refusals;
use crate::running::{Entered, Greeting};
use crate::servers::Fleet;
use crate::shared::Shared;
use crate::startup::{self, Wish};

/// How long a session may take to say that its server was revoked. With the time that it takes to
/// hear of it, this stays under two seconds.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a session came to nothing, for the log.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The application's side.
    #[error("the application's connection: {0}")]
    Application(#[source] io::Error),
    /// The application sent what is no start-up packet.
    #[error("{0}")]
    Startup(#[from] StartupError),
    /// It took too long to say what it wants.
    #[error("the application took too long to start up")]
    TooSlow,
    /// It is another user's than those that may connect.
    #[error("allow_users does not name this user; it was turned away")]
    NotAllowed,
    /// No tunnel.
    #[error(transparent)]
    Tunnel(#[from] tunnel::ConnectError),
    /// The tunnel broke, or carried what is no PostgreSQL protocol.
    #[error("the tunnel was lost: {}", in_a_word(.0))]
    Lost(#[source] io::Error),
    /// The server does not answer.
    #[error("the server said nothing for {} ms", .0.as_millis())]
    Silent(Duration),
    /// The list of revoked certificates is too old to trust a server.
    #[error("no new sessions: it was not heard for longer than max_crl_age who is revoked")]
    RevocationsUnknown,
    /// The server's certificate was revoked.
    #[error("the server's certificate was revoked")]
    Revoked,
    /// None of several servers can be had.
    #[error(transparent)]
    Unserved(#[from] Unserved),
    /// The server does not take sessions now.
    #[error("the server refused the session with {0}")]
    Refused(String),
    /// It cannot stay with its server.
    #[error("{}", match .0 {
        Leaving::Down => "its server does not answer any more",
        Leaving::Role => "the database of its server is something else now",
    })]
    Left(Leaving),
}

/// Who connected, and where.
#[derive(Clone, Copy)]
pub struct Came<'a> {
    /// Who.
    pub peer: &'a Peer,
    /// Where: the address's place in `listen`,
    pub listener: usize,
    /// and the address.
    pub address: &'a str,
}

/// Serves one connection to its end.
///
/// # Errors
/// What to say of it in the log; the application has been told already.
pub async fn serve(
    mut app: Stream,
    came: Came<'_>,
    place: Place<Source>,
    shared: &Arc<Shared>,
) -> Result<(), Failed> {
    if let Stream::Tcp(tcp) = &app {
        shared.tuning.apply(tcp).map_err(Failed::Application)?;
    }
    let received = tokio::time::timeout(shared.startup_timeout, startup::receive(&mut app));
    let wish = tokio::select! {
        wish = received => wish.map_err(|_| Failed::TooSlow)??,
        () = place.lost() => {
            shared.metrics.connections_dropped.inc();
            return Ok(());
        }
    };
    match wish {
        Wish::Nothing => Ok(()),
        wish if !shared.allow_users.permit(came.peer) => {
            shared.metrics.users_refused.inc();
            // A cancel request never gets an answer.
            if let Wish::Session(_) = wish {
                tell(&mut app, refusals::NOT_ALLOWED).await?;
            }
            Err(Failed::NotAllowed)
        }
        Wish::Cancel(request) => tokio::select! {
            cancelled = cancels::carry(&request, shared) => cancelled,
            () = place.lost() => {
                shared.metrics.connections_dropped.inc();
                Ok(())
            }
        },
        Wish::Session(startup) => {
            drop(place);
            // Of its own, so that a connection that has not begun takes no room for it.
            Box::pin(session(app, came, &startup, shared)).await
        }
    }
}

async fn session(
    mut app: Stream,
    came: Came<'_>,
    startup: &[u8],
    shared: &Shared,
) -> Result<(), Failed> {
    let _running = shared.sessions.begin();
    shared.metrics.sessions_started.inc();
    match opening::open(&mut app, came.listener, startup, shared).await {
        Ok(opened) => carry(app, came, opened, shared).await,
        Err(unopened) => {
            match unopened.farewell {
                Farewell::Refusal(refusal) => tell(&mut app, refusal).await?,
                Farewell::Server(words) => say(&mut app, &words).await?,
                Farewell::Nothing => app.shutdown().await.map_err(Failed::Application)?,
            }
            daemon::linger(&mut app).await;
            unopened.why.map_or(Ok(()), Err)
        }
    }
}

/// TLS explains an end without a goodbye at length; here it means one thing.
fn in_a_word(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server vanished".to_owned(),
        _ => error.to_string(),
    }
}

/// Says this, and that no more comes.
///
/// # Errors
/// The application is gone.
pub async fn tell(app: &mut (impl AsyncWrite + Unpin), refusal: Refusal<'_>) -> Result<(), Failed> {
    say(app, &refusal.to_message()).await
}

/// The last that the application hears.
async fn say(app: &mut (impl AsyncWrite + Unpin), words: &[u8]) -> Result<(), Failed> {
    app.write_all(words).await.map_err(Failed::Application)?;
    app.shutdown().await.map_err(Failed::Application)
}

/// Both directions, until either side ends, or the server is not to be trusted any more.
async fn carry(
    app: Stream,
    came: Came<'_>,
    opened: Opened<'_>,
    shared: &Shared,
) -> Result<(), Failed> {
    let Opened {
        chosen,
        stream,
        peer: Answering { server, .. },
        answer,
        early,
    } = opened;
    let on = (chosen.name(), server.identity.id.as_str());
    let entered = shared
        .running
        .enter(on, came.peer.to_string(), came.address);
    let carried = Carried {
        server: &server.serial,
        chosen: &chosen,
        entered: &entered,
        shared,
    };
    let ended = {
        let overdue = pin!(overdue(shared, &server.serial));
        tokio::select! {
            biased;
            ended = both_ways(app, stream, early, answer, carried) => ended,
            () = OnWake::new(overdue) => Err(Failed::Revoked),
        }
    };
    if let Err(Failed::Lost(_)) = ended {
        chosen.lost();
    }
    ended
}

/// What a session is carried on.
#[derive(Clone, Copy)]
struct Carried<'a> {
    server: &'a Serial,
    chosen: &'a Chosen<Fleet>,
    entered: &'a Entered<'a>,
    shared: &'a Shared,
}

/// Returns when a session still runs although its server is revoked: its application takes nothing.
async fn overdue(shared: &Shared, server: &Serial) {
    shared.revoked.revoked(server).await;
    tokio::time::sleep(FAREWELL).await;
}

async fn both_ways(
    app: Stream,
    tunnel: impl AsyncRead + AsyncWrite + Unpin,
    early: BytesMut,
    answer: BytesMut,
    carried: Carried<'_>,
) -> Result<(), Failed> {
    let (tunnel_reads, tunnel_writes) = tokio::io::split(tunnel);
    let (mut app_reads, app_writes) = tokio::io::split(app);
    let ended = {
        let to_server = pin!(app_to_server(&mut app_reads, tunnel_writes, early));
        let to_app = pin!(server_to_app(tunnel_reads, app_writes, answer, carried));
        directions(to_server, to_app).await
    };
    daemon::linger(&mut app_reads).await;
    ended
}

type Ended = Result<(), Failed>;

async fn directions(
    to_server: impl Future<Output = Ended> + Unpin,
    to_app: impl Future<Output = Ended> + Unpin,
) -> Ended {
    let (mut to_server, mut to_app) = (OnWake::new(to_server), OnWake::new(to_app));
    tokio::select! {
        biased;
        ended = &mut to_app => ended,
        ended = &mut to_server => match ended {
            // The application has asked its last; what is on its way back still gets there. A
            // tunnel that cannot be written to is read from to its end, which says why.
            Ok(()) | Err(Failed::Lost(_)) => to_app.await,
            Err(error) => Err(error),
        },
    }
}

async fn app_to_server(
    mut app: impl AsyncRead + Unpin,
    mut tunnel: impl AsyncWrite + Unpin,
    early: BytesMut,
) -> Result<(), Failed> {
    let mut chunk = early;
    if !chunk.is_empty() {
        tunnel.write_all(&chunk).await.map_err(Failed::Lost)?;
        tunnel.flush().await.map_err(Failed::Lost)?;
    }
    loop {
        chunk.clear();
        let read = daemon::read_chunk(&mut app, &mut chunk).await;
        if read.map_err(Failed::Application)? == 0 {
            return tunnel.shutdown().await.map_err(Failed::Lost);
        }
        tunnel.write_all(&chunk).await.map_err(Failed::Lost)?;
        tunnel.flush().await.map_err(Failed::Lost)?;
    }
}

/// What the application is told when its session is to end although neither side has ended it, and what
/// the log.
pub type Ending = (Refusal<'static>, Option<Failed>);

/// Returns when that is so, of a session that has got as far as this server.
pub async fn must_end(
    server: Option<&Serial>,
    chosen: Option<&Chosen<Fleet>>,
    shared: &Shared,
) -> Ending {
    let mut ending: Shutdown = shared.ending.clone();
    let leaving = async {
        match chosen {
            Some(chosen) => chosen.leaving().await,
            None => pending().await,
        }
    };
    let revoked = async {
        match server {
            Some(server) => shared.revoked.revoked(server).await,
            None => pending().await,
        }
    };
    tokio::select! {
        why = leaving => {
            let refusal = match why {
                Leaving::Down => refusals::SERVER_DOWN,
                Leaving::Role => refusals::ROLE_CHANGED,
            };
            (refusal, Some(Failed::Left(why)))
        }
        () = ending.begun() => (refusals::SHUTDOWN, None),
        () = revoked => (refusals::SERVER_REVOKED, Some(Failed::Revoked)),
    }
}

/// Follows where messages end, so that an application whose server is lost can be told in
/// PostgreSQL's own way.
async fn server_to_app(
    mut tunnel: impl AsyncRead + Unpin,
    mut app: impl AsyncWrite + Unpin,
    answer: BytesMut,
    carried: Carried<'_>,
) -> Result<(), Failed> {
    let Carried {
        entered, shared, ..
    } = carried;
    let (mut boundaries, mut greeting) = (Boundaries::default(), Greeting::default());
    let mut pass = async |boundaries: &mut Boundaries, app: &mut _, chunk: &[u8]| {
        let unreadable = |error| Failed::Lost(io::Error::other(error));
        boundaries.pass(chunk).map_err(unreadable)?;
        if let Some(key_data) = greeting.pass(chunk).map_err(unreadable)? {
            entered.key_data(&key_data);
        }
        AsyncWriteExt::write_all(app, chunk)
            .await
            .map_err(Failed::Application)
    };
    let mut chunk = answer;
    pass(&mut boundaries, &mut app, &chunk).await?;
    let must_end = pin!(must_end(Some(carried.server), Some(carried.chosen), shared));
    let mut must_end = OnWake::new(must_end);
    let mut silent = pin!(tokio::time::sleep(shared.answer_timeout));
    let (refusal, lost) = loop {
        chunk.clear();
        let read = tokio::select! {
            biased;
            told = &mut must_end => break told,
            read = daemon::read_chunk(&mut tunnel, &mut chunk) => read,
            () = &mut silent, if boundaries.last_tag().is_none() => {
                let silent = Failed::Silent(shared.answer_timeout);
                break (refusals::NO_ANSWER, Some(silent));
            }
        };
        match read {
            // The server has closed in good order, and said why if there was anything to say.
            Ok(0) => return app.shutdown().await.map_err(Failed::Application),
            Ok(_) => {}
            // A server that is killed does not close in good order: TLS tells the two apart.
            Err(error) if boundaries.last_tag().is_none() => {
                break (refusals::NOT_LET_IN, Some(Failed::Lost(error)));
            }
            Err(error) => break (refusals::SERVER_GONE, Some(Failed::Lost(error))),
        }
        pass(&mut boundaries, &mut app, &chunk).await?;
    };
    let told = if boundaries.between_messages() && boundaries.last_tag() != Some(b'E') {
        tell(&mut app, refusal).await
    } else {
        // It has been told why already; or it is in the middle of a message, where nothing can be said but
        // that no more comes.
        app.shutdown().await.map_err(Failed::Application)
    };
    let Some(why) = lost else {
        return told;
    };
    if matches!(why, Failed::Lost(_) | Failed::Silent(_)) {
        shared.metrics.tunnels_lost.inc();
    }
    Err(why)
}
