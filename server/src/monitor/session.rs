//! The server's own session with its database: logging in, and one question. A database is not trusted
//! to keep to the protocol, and is given no password that others could read.

use std::io;

use bytes::{Buf, BytesMut};
use control::{DatabaseRole, DatabaseStanding};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::login::{self, Request};
use wire::row::Fields;
use wire::{Header, originate};
use zeroize::Zeroizing;

use super::login::Login;
use super::problem::Problem;
use crate::database::{Database, Readers, Stream};

/// Longest message that is read, in bytes: those of a login and of one short row are far shorter.
const MAX_MESSAGE: usize = 64 << 10;

/// A row of role, timeline, position and delay, in that order.
///
/// - A function of a role fails on the other, so which it is is asked once for the whole row.
/// - A primary's timeline stands in the name of the file that it writes; its control file has it only after
///   the checkpoint that follows a promotion. A replica has it from whom it receives (which is told only to
///   members of `pg_read_all_stats`), or as of its last checkpoint.
/// - A replica that has replayed all that was streamed to it is not late, however long ago that was.
const QUESTION: &str = "\
select replica, \
case when replica then greatest(\
(select timeline_id from pg_control_checkpoint()), \
(select min_recovery_end_timeline from pg_control_recovery()), \
(select received_tli from pg_stat_wal_receiver)) \
else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint end, \
case when replica then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end - '0/0', \
case when not replica then null \
when pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() then 0 \
else greatest(0, extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint end \
from (select pg_is_in_recovery() as replica offset 0) as role";

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
    pub async fn ask(&mut self) -> Result<DatabaseStanding, Problem> {
        self.send(&originate::query(QUESTION)).await?;
        let mut row = None;
        loop {
            let (tag, body) = self.receive().await?;
            match tag {
                b'D' => row = Some(standing(&body)?),
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

/// What the row of [`QUESTION`] says.
fn standing(row: &[u8]) -> Result<DatabaseStanding, Problem> {
    let fields: Vec<_> = Fields::parse(row)?.iter().collect();
    let [Some(replica), Some(timeline), Some(position), delay] = *fields.as_slice() else {
        return Err(Problem::Garbled);
    };
    Ok(DatabaseStanding {
        role: match replica {
            b"t" => DatabaseRole::Replica,
            b"f" => DatabaseRole::Primary,
            _ => return Err(Problem::Garbled),
        },
        timeline: number(timeline)?,
        position: number(position)?,
        delay_ms: delay.map(number).transpose()?,
    })
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T, Problem> {
    let text = str::from_utf8(text).map_err(|_| Problem::Garbled)?;
    text.parse().map_err(|_| Problem::Garbled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[Option<&str>]) -> BytesMut {
        let mut out = BytesMut::new();
        let count = u16::try_from(fields.len()).unwrap();
        let mut row = wire::row::RowWriter::begin(&mut out, count);
        for field in fields {
            row.field(field.map(str::as_bytes)).unwrap();
        }
        row.finish().unwrap();
        out.split_off(Header::LEN)
    }

    #[test]
    fn a_row_says_role_timeline_position_and_delay() {
        let replica = row(&[Some("t"), Some("4294967295"), Some("7"), Some("12")]);
        assert_eq!(
            standing(&replica).unwrap(),
            DatabaseStanding {
                role: DatabaseRole::Replica,
                timeline: u32::MAX,
                position: 7,
                delay_ms: Some(12),
            }
        );
        let primary = row(&[Some("f"), Some("1"), Some("18446744073709551615"), None]);
        let primary = standing(&primary).unwrap();
        assert_eq!(primary.role, DatabaseRole::Primary);
        assert_eq!((primary.position, primary.delay_ms), (u64::MAX, None));
    }

    #[test]
    fn a_row_that_says_something_else_is_garbled() {
        for fields in [
            [].as_slice(),
            &[Some("t"), Some("1"), Some("7")],
            &[Some("t"), Some("1"), Some("7"), None, None],
            &[None, Some("1"), Some("7"), None],
            &[Some("x"), Some("1"), Some("7"), None],
            &[Some("t"), None, Some("7"), None],
            &[Some("t"), Some("-1"), Some("7"), None],
            &[Some("t"), Some("4294967296"), Some("7"), None],
            &[Some("t"), Some("1"), Some("18446744073709551616"), None],
            &[Some("t"), Some("1"), Some(""), None],
            &[Some("t"), Some("1"), Some("7"), Some("1.5")],
        ] {
            assert!(
                matches!(standing(&row(fields)), Err(Problem::Garbled)),
                "{fields:?}"
            );
        }
    }
}
