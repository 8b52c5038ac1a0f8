//! What an application connects for, by its first packets.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::originate::{Refusal, Severity};
use wire::startup::{self, Packet, StartupError};

use crate::listen::Stream;
use crate::refusals;
use crate::session::{Failed, tell};

/// What an application connects for.
pub enum Wish {
    /// A session: its start-up packet, to go on as it stands.
    Session(BytesMut),
    /// To cancel another one's query.
    Cancel(BytesMut),
    /// Nothing: it closed without a word, as health checks do.
    Nothing,
}

/// Reads up to the packet that says what the application wants. Encryption is declined, once for
/// each kind: the way from here is encrypted, the way to here does not leave the host.
///
/// # Errors
/// It sends what is no start-up packet, which it was told, or breaks off.
pub async fn receive(app: &mut Stream) -> Result<Wish, Failed> {
    let (mut ssl_asked, mut gss_asked) = (false, false);
    loop {
        let mut packet = BytesMut::zeroed(4);
        match app.read_exact(&mut packet).await {
            Ok(_) => {}
            Err(error) if !ssl_asked && !gss_asked && is_close(&error) => return Ok(Wish::Nothing),
            Err(error) => return Err(Failed::Application(error)),
        }
        let length = match startup::packet_length(&packet) {
            Ok(length) => length.unwrap_or_default(),
            Err(error) => return refuse(app, error).await,
        };
        packet.resize(length, 0);
        let body = packet.get_mut(4..).unwrap_or_default();
        app.read_exact(body).await.map_err(Failed::Application)?;
        let asked = match Packet::parse(&packet) {
            Ok(Packet::Startup { .. }) => return Ok(Wish::Session(packet)),
            Ok(Packet::Cancel { .. }) => return Ok(Wish::Cancel(packet)),
            Ok(Packet::Ssl) => &mut ssl_asked,
            Ok(Packet::GssEnc) => &mut gss_asked,
            Err(error) => return refuse(app, error).await,
        };
        if std::mem::replace(asked, true) {
            let again = StartupError::Malformed(wire::Malformed {
                message: "start-up",
            });
            return refuse(app, again).await;
        }
        app.write_all(b"N").await.map_err(Failed::Application)?;
    }
}

fn is_close(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

async fn refuse<T>(app: &mut Stream, error: StartupError) -> Result<T, Failed> {
    let message = error.to_string();
    let refusal = match error {
        StartupError::Protocol { .. } => Refusal {
            severity: Severity::Fatal,
            code: "0A000",
            message: &message,
            hint: None,
        },
        _ => refusals::BAD_STARTUP,
    };
    tell(app, refusal).await?;
    Err(error.into())
}
