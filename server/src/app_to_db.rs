//! From the application to the database: every byte as it came. Requests are only taken note of,
//! so that their replies can be read.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use wire::request::{Request, Requests};
use wire::{FrameError, originate};

use crate::conversation::Injection;
use crate::flow::Flow;
use crate::session::Ended;

/// Carries messages until the application ends, and then ends the database's side. The application has
/// said `early` already.
///
/// # Errors
/// A connection broke.
pub async fn run(
    mut app: impl AsyncRead + Unpin,
    early: BytesMut,
    mut db: impl AsyncWrite + Unpin,
    flow: &Flow,
) -> Result<(), Ended> {
    let mut chunk = early;
    let mut requests = Requests::default();
    loop {
        let between_messages = requests.between_messages();
        if chunk.is_empty() {
            let read = tokio::select! {
                biased;
                // Due even while the application is silent: it waits for the outcome.
                injection = flow.injection(), if between_messages => {
                    inject(&mut db, injection).await.map_err(Ended::Database)?;
                    continue;
                }
                read = daemon::read_chunk(&mut app, &mut chunk) => {
                    read.map_err(Ended::Application)?
                }
            };
            if read == 0 {
                // Hanging up is a goodbye too.
                flow.terminate();
            }
        }
        if flow.is_terminated() {
            return db.shutdown().await.map_err(Ended::Database);
        }
        while !chunk.is_empty() {
            if requests.between_messages()
                && let Some(injection) = flow.clear().await
            {
                inject(&mut db, injection).await.map_err(Ended::Database)?;
                continue;
            }
            let (taken, readable) = take(&mut requests, &chunk, flow);
            db.write_all(chunk.get(..taken).unwrap_or_default())
                .await
                .map_err(Ended::Database)?;
            chunk.advance(taken);
            if let Err(error) = readable {
                // PostgreSQL ends such a connection without a word, and so do we.
                tracing::warn!(%error, "the application sent what cannot be read");
                flow.terminate();
                return db.shutdown().await.map_err(Ended::Database);
            }
        }
        db.flush().await.map_err(Ended::Database)?;
    }
}

/// Takes note of the requests at the front of `chunk` before their bytes go on; answers how many
/// bytes may. Stops after a message when the next one must wait, and before one that is none.
fn take(requests: &mut Requests, chunk: &[u8], flow: &Flow) -> (usize, Result<(), FrameError>) {
    let mut taken = 0;
    while taken < chunk.len() {
        let rest = chunk.get(taken..).unwrap_or_default();
        requests.set_conforming(flow.do_strings_conform());
        let (count, request) = match requests.next(rest) {
            Ok(next) => next,
            Err(error) => return (taken, Err(error)),
        };
        taken += count;
        let Some(request) = request else { continue };
        if request == Request::Terminate {
            flow.terminate();
        }
        let mut conversation = flow.conversation();
        conversation.ask(request);
        let holds = conversation.holds();
        drop(conversation);
        if holds {
            break;
        }
    }
    (taken, Ok(()))
}

/// Sends a message of ours. Its text shows in PostgreSQL's log; its error is not passed on.
async fn inject(db: &mut (impl AsyncWrite + Unpin), injection: Injection) -> io::Result<()> {
    const FAIL: &str = "pgseal: a sealed value was refused";
    let message = match injection {
        Injection::BadParse => {
            // In a COPY that began meanwhile, Parse would end the session; outside of one, CopyFail
            // is ignored.
            let mut message = originate::copy_fail(FAIL);
            message.extend_from_slice(&originate::parse(FAIL));
            message
        }
        Injection::BadQuery => originate::query(FAIL),
        Injection::CopyFail => originate::copy_fail(FAIL),
        Injection::CopyFailSync => {
            let mut message = originate::copy_fail(FAIL);
            message.extend_from_slice(&originate::SYNC);
            message
        }
    };
    db.write_all(&message).await?;
    db.flush().await
}
