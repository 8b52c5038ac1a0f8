//! The server's own session with its database: logging in, and asking. A database is not trusted to keep
//! to the protocol, and is given no password that others could read.

use std::io;

use bytes::{Buf, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::login::{self, Request};
use wire::{Header, originate};
use zeroize::Zeroizing;

use super::login::Login;
use super::problem::Problem;
use super::question::{Answer, QUESTION};
use crate::database::{Database, Readers, Stream};

/// Longest message that is read, in bytes: those of a login and of one short row are far shorter.
const MAX_MESSAGE: usize = 64 << 10;

/// A session that has logged in.
pub struct Session {
    stream: Box<dyn Stream>,
    readers: Readers,
    input: BytesMut,
}

impl Session {
    /// Connects and logs in.
    ///
    /// # Errors
    /// The database is not reached, or does not let this user in; or wants more of it than is safe.
    pub async fn open(database: &Database, login: &Login) -> Result<Self, Problem> {
        let (stream, readers) = database.reach().await?;
        Self::begin(stream, readers, login).await
    }

    /// Logs in on a connection on which nothing was said.
    pub(super) async fn begin(
        stream: Box<dyn Stream>,
        readers: Readers,
        login: &Login,
    ) -> Result<Self, Problem> {
        let mut session = Self {
            stream,
            readers,
            input: BytesMut::new(),
        };
        let startup = originate::startup(&[
            ("user", &login.user),
            ("database", &login.database),
            ("application_name", "pgseal-monitor"),
            ("client_encoding", "UTF8"),
        ]);
        session.send(&startup).await?;
        session.log_in(login).await?;
        Ok(session)
    }

    /// Asks how the database stands.
    ///
    /// # Errors
    /// There is no answer, or no row as it should be. The session is of no use then.
    pub async fn ask(&mut self) -> Result<Answer, Problem> {
        self.send(&originate::query(QUESTION)).await?;
        let mut row = None;
        loop {
            let (tag, body) = self.receive().await?;
            match tag {
                b'D' => row = Some(Answer::parse(&body)?),
                b'Z' => return row.ok_or(Problem::Garbled),
                b'T' | b'C' => {}
                tag => self.aside(tag, &body)?,
            }
        }
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), Problem> {
        let mut scram: Option<ScramSha256> = None;
        let mut let_in = false;
        loop {
            let (tag, body) = self.receive().await?;
            let request = match tag {
                b'R' => Request::parse(&body)?,
                b'Z' if let_in => return Ok(()),
                tag => {
                    self.aside(tag, &body)?;
                    continue;
                }
            };
            let answer = match (request, scram.as_mut()) {
                // Whoever began SCRAM proves that it knows the password too.
                (Request::Done, None) => {
                    let_in = true;
                    continue;
                }
                (Request::Cleartext, None) if self.readers == Readers::DatabaseAlone => {
                    originate::password(login.password()?.expose_secret().as_bytes())
                }
                (Request::Cleartext, None) => return Err(Problem::Cleartext),
                (Request::Md5(salt), None) => {
                    let password = login.password()?;
                    let password = password.expose_secret().as_bytes();
                    let hash = Zeroizing::new(md5_hash(login.user.as_bytes(), password, salt));
                    originate::password(hash.as_bytes())
                }
                (Request::Sasl(mechanisms), None) if login::offers(mechanisms, SCRAM_SHA_256) => {
                    let password = login.password()?;
                    let password = password.expose_secret().as_bytes();
                    let begun = ScramSha256::new(password, ChannelBinding::unsupported());
                    let begun = scram.insert(begun);
                    originate::sasl_initial_response(SCRAM_SHA_256, begun.message())
                }
                (Request::SaslContinue(data), Some(begun)) => {
                    // A hash of some thousand rounds, on an async thread.
                    tokio::task::block_in_place(|| begun.update(data)).map_err(Problem::Scram)?;
                    originate::sasl_response(begun.message())
                }
                (Request::SaslFinal(data), Some(begun)) => {
                    begun.finish(data).map_err(Problem::Scram)?;
                    scram = None;
                    continue;
                }
                (Request::Other(_) | Request::Sasl(_), None) => return Err(Problem::Method),
                _ => return Err(Problem::Garbled),
            };
            self.send(&Zeroizing::new(answer)).await?;
        }
    }

    /// What a database may say at any time: an error ends the session, the rest is passed over.
    fn aside(&self, tag: u8, body: &[u8]) -> Result<(), Problem> {
        match tag {
            b'S' | b'K' | b'N' | b'A' => Ok(()),
            b'E' => Err(Problem::said(body)),
            _ => Err(Problem::Garbled),
        }
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), Problem> {
        self.stream.write_all(message).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The next message: its type and its body.
    async fn receive(&mut self) -> Result<(u8, BytesMut), Problem> {
        loop {
            if let Some(header) = Header::parse(&self.input)? {
                if header.body > MAX_MESSAGE {
                    return Err(Problem::Garbled);
                }
                if self.input.len() >= header.total() {
                    let mut message = self.input.split_to(header.total());
                    message.advance(Header::LEN);
                    return Ok((header.tag, message));
                }
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}
