//! What holds for the server's own session, whatever the database says: for the workspace's fuzz targets.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use control::DatabaseRole;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::login::Login;
use super::patroni::Patroni;
use super::problem::Problem;
use super::question::Answer;
use super::session::Session;
use crate::config::{self, PatroniAddress};
use crate::database::Readers;

/// In a script: the client's nonce in SCRAM, which nobody knows before.
const NONCE: &[u8] = b"NNNNNNNNNNNNNNNNNNNNNNNN";

const PASSWORD: &str = "correct horse battery staple";

/// The first byte says who may read along, whether there is a password, and in which pieces the others
/// come: what the database says, from its first message on. However it is cut, the same becomes of it; a
/// password is told in clear to the database alone; and an answer is what stands in the row.
pub fn monitor(bytes: &[u8]) {
    let Some((how, says)) = bytes.split_first() else {
        return;
    };
    let (readers, has_password, piece) = match how {
        how if how & 1 == 0 => (Readers::Anybody, how & 2 != 0, how >> 2),
        how => (Readers::DatabaseAlone, how & 2 != 0, how >> 2),
    };
    let login = login(has_password);
    let (answer, heard) = converse(says, None, readers, &login);
    let (again, _) = converse(says, Some(usize::from(piece) + 1), readers, &login);
    // A nonce is another one each time.
    match says.windows(NONCE.len()).any(|it| it == NONCE) {
        true => assert_eq!(answer.is_ok(), again.is_ok()),
        false => assert_eq!(format!("{answer:?}"), format!("{again:?}")),
    }
    if let Some(file) = password_file(has_password) {
        fs::remove_file(file).expect("it was written");
    }
    let in_clear = heard
        .windows(PASSWORD.len())
        .any(|it| it == PASSWORD.as_bytes());
    assert!(!in_clear || has_password && readers == Readers::DatabaseAlone);
    match answer {
        Ok(answer) => {
            assert!(says_so(says, &answer));
            followed(answer);
        }
        Err(problem) => {
            let line = problem.to_string();
            assert!(
                !line.contains(char::is_control) && line.len() < 1200,
                "{line}"
            );
            assert!(!problem.is_silence());
            silent();
            // Whoever ends a connection may come back; whoever says something wrong has to be corrected.
            if problem.is_absence() {
                assert!(matches!(problem, Problem::Broken(_) | Problem::Said { .. }));
            }
        }
    }
}

fn login(has_password: bool) -> Login {
    let password_file = password_file(has_password);
    if let Some(file) = &password_file {
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(file);
        let written = made.and_then(|mut file| file.write_all(PASSWORD.as_bytes()));
        written.expect("a temporary file can be written");
    }
    let config = config::Monitor {
        user: Some("monitor".into()),
        password_file,
        ..config::Monitor::default()
    };
    let login = Login::new(&config).expect("there is nothing wrong with it");
    login.expect("there is a user")
}

fn password_file(there_is_one: bool) -> Option<PathBuf> {
    let name = format!("pgseal-fuzz-{}.password", std::process::id());
    there_is_one.then(|| std::env::temp_dir().join(name))
}

/// Logs in and asks once. Without a piece's length a message comes at a time.
fn converse(
    says: &[u8],
    piece: Option<usize>,
    readers: Readers,
    login: &Login,
) -> (Result<Answer, Problem>, Vec<u8>) {
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let database = Database {
        says: says.to_vec(),
        at: 0,
        piece,
        heard: heard.clone(),
    };
    let work = async {
        let mut session = Session::begin(Box::new(database), readers, login).await?;
        session.ask().await
    };
    // What comes from memory is never waited for.
    let answer = match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for nothing"),
    };
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    (answer, heard.clone())
}

/// What the database says, and what it is told.
struct Database {
    says: Vec<u8>,
    at: usize,
    piece: Option<usize>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Database {
    /// Puts the nonce where the script has it, once it is known; so long as nothing of that was said.
    fn recall(&mut self) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = heard.windows(5).position(|it| it == b"n,,n=");
        let nonce = begin.and_then(|at| heard.get(at + b"n,,n=,r=".len()..)?.get(..NONCE.len()));
        let rest = self.says.get_mut(self.at..).unwrap_or_default();
        let place = rest.windows(NONCE.len()).position(|it| it == NONCE);
        if let (Some(nonce), Some(place)) = (nonce, place) {
            rest[place..place + NONCE.len()].copy_from_slice(nonce);
        }
    }
}

impl AsyncRead for Database {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.recall();
        let rest = self.says.get(self.at..).unwrap_or_default();
        let message = messages(rest)
            .next()
            .map_or(rest.len(), |(_, body)| 5 + body.len());
        let piece = self.piece.map_or(message, |piece| piece.min(message));
        let piece = piece.min(buffer.remaining());
        buffer.put_slice(&rest[..piece]);
        self.at += piece;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Database {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whoever says nothing is away, and may come back.
fn silent() {
    let limit = Duration::from_secs(1);
    let address = "http://db".to_owned().try_into();
    let address: PatroniAddress = address.expect("it is an address");
    let patroni = Patroni::new(Some(&address), None).expect("it needs nothing more");
    let patroni = patroni.expect("there is an address").silent(limit);
    for problem in [Problem::Silent(limit), patroni.into()] {
        assert!(problem.is_silence() && problem.is_absence());
    }
}

/// Messages, by hand: types and bodies.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_first_chunk::<5>()?;
        let [tag, length @ ..] = *header;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        let (body, rest) = rest.split_at_checked(length.checked_sub(4)?)?;
        bytes = rest;
        Some((tag, body))
    })
}

/// Whether this answer stands in the last row between the two times that the database was ready.
fn says_so(says: &[u8], answer: &Answer) -> bool {
    let rows = messages(says)
        .skip_while(|(tag, _)| *tag != b'Z')
        .skip(1)
        .take_while(|(tag, _)| *tag != b'Z');
    let Some((_, mut row)) = rows.filter(|(tag, _)| *tag == b'D').last() else {
        return false;
    };
    row = &row[2..];
    let mut fields = Vec::new();
    while let Some((length, rest)) = row.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (field, rest) = rest.split_at(length.unwrap_or(0));
        fields.push(length.and(str::from_utf8(field).ok()));
        row = rest;
    }
    let number = |at: usize| fields[at].and_then(|text| text.parse::<u64>().ok());
    let truth = |at: usize| fields[at].map(|text| text == "t");
    let follows = answer.following.map(|it| {
        let truths = (Some(it.paused), it.receives);
        truths == (truth(6), truth(7)) && (it.received, it.primary) == (number(5), number(8))
    });
    let signed = fields.get(9).copied().flatten();
    let system = signed.and_then(|text| text.parse::<i64>().ok());
    let lineage = answer.standing.lineage;
    fields.len() == 12
        && system.map(i64::cast_unsigned) == lineage.system
        && number(10) == lineage.started_ms
        && number(11) == lineage.receives.map(u64::from)
        && truth(0) == Some(answer.standing.role == DatabaseRole::Replica)
        && number(1) == Some(answer.standing.timeline.into())
        && number(2) == Some(answer.standing.position)
        && number(3) == answer.standing.delay_ms
        && number(4) == Some(answer.version.into())
        && follows.unwrap_or(truth(0) == Some(false))
}

/// A replica that has replayed all it knows of and receives nothing is as late as long ago it was seen to
/// receive; in all else an answer stays as it is.
fn followed(answer: Answer) {
    let now = Instant::now();
    let seen = now.checked_sub(Duration::from_secs(3)).unwrap_or(now);
    let ago = (now - seen).as_millis();
    let is_replica = answer.following.is_some();
    let receives = answer.following.and_then(|it| it.receives) == Some(true);
    let is_level = is_replica && answer.standing.delay_ms == Some(0);
    for before in [None, Some(seen)] {
        let mut up_to_date = before;
        let told = answer.following(&mut up_to_date, now);
        let late = match (is_level && !receives, before) {
            (false, _) => answer.standing.delay_ms,
            (true, None) => None,
            (true, Some(_)) => u64::try_from(ago).ok(),
        };
        assert_eq!(told.standing.delay_ms, late);
        let remembered = match (is_replica, is_level && receives) {
            (false, _) => None,
            (true, false) => before,
            (true, true) => Some(now),
        };
        assert_eq!(up_to_date, remembered);
    }
}
