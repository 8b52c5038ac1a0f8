//! The file of a unix socket: made, found stale, removed at the end.
//!
//! Anybody may connect to it (mode 0666, as PostgreSQL's own): who may stay is `users`' matter, so
//! that whoever may not is told why. Its directory can narrow that down.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener as Unbound;
use std::path::Path;
use std::time::Duration;

use daemon::{FileId, SocketFile};
use nix::libc;
use tokio::net::{UnixListener, UnixStream};

/// Longest path of a socket, in bytes: Linux keeps 108, and a zero ends it (unix(7)).
pub const MAX_PATH: usize = 107;

/// Who may connect is not decided by the file.
const MODE: u32 = 0o666;

/// How often, and how long after each time, the directory's lock is asked for: five seconds in all.
const ATTEMPTS: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// A unix socket that is listened on. Its file is removed when it is dropped, unless somebody else's.
pub struct Socket {
    listener: UnixListener,
    file: Option<SocketFile>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Two programs cannot share a path.
    #[error("another program listens there; end it, or choose another path")]
    InUse,
    /// Removing it might lose something.
    #[error("what is there is no socket; remove it, or choose another path")]
    NoSocket,
    /// Somebody keeps others from making sockets in this directory.
    #[error("the directory is locked by another program")]
    Locked,
    /// The operating system refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Socket {
    /// Makes the socket's file and listens. One that is left from a program that was killed is
    /// removed: a socket that nobody listens on.
    ///
    /// # Errors
    /// Something is there, or the operating system refuses.
    pub async fn bind(path: &Path) -> Result<Self, SocketError> {
        // Of two that find a stale file at once, the second would remove the first one's new file:
        // they look and make one after the other.
        let _turn = turn(path.parent().unwrap_or(Path::new("/"))).await?;
        remove_if_stale(path).await?;
        let listener = Unbound::bind(path)?;
        let file = Some(open_to_all(path)?);
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self { listener, file })
    }

    /// One that was listened on before, and its file, where that goes with it.
    #[must_use]
    pub fn given(listener: UnixListener, file: Option<SocketFile>) -> Self {
        Self { listener, file }
    }

    /// The file that goes with it.
    #[must_use]
    pub fn file(&self) -> Option<&SocketFile> {
        self.file.as_ref()
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(stream)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Lets everybody connect to the socket that was just made at this path. Whoever can write to its
/// directory may have put something else there since, a link to a private key perhaps: the mode is
/// given to a socket only, and to the one that was looked at.
fn open_to_all(path: &Path) -> Result<SocketFile, SocketError> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
        .open(path)?;
    let made = file.metadata()?;
    if !made.file_type().is_socket() {
        return Err(SocketError::NoSocket);
    }
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(opened, Permissions::from_mode(MODE))?;
    Ok(SocketFile::made(path, FileId::from(&made)))
}

/// The directory's lock, which ends with the file that is returned; it leaves nothing behind.
async fn turn(directory: &Path) -> Result<File, SocketError> {
    let directory = File::open(directory)?;
    for _ in 0..ATTEMPTS {
        match directory.try_lock() {
            Ok(()) => return Ok(directory),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(SocketError::Locked)
}

async fn remove_if_stale(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NoSocket),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketError::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        // Its queue is full: somebody listens, and is slow.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SocketError::InUse),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    use super::*;

    fn path() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".s.PGSQL.5432");
        (directory, path)
    }

    #[tokio::test]
    async fn a_socket_is_there_for_everybody_and_goes_with_its_listener() {
        let (_directory, path) = path();
        let socket = Socket::bind(&path).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o666);
        let asked = UnixStream::connect(&path);
        let (asked, accepted) = tokio::join!(asked, socket.accept());
        assert!(asked.is_ok() && accepted.is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_is_listened_on_is_left_alone() {
        let (_directory, path) = path();
        let first = Socket::bind(&path).await.unwrap();
        let second = Socket::bind(&path).await;
        assert!(matches!(second, Err(SocketError::InUse)));
        let asked = UnixStream::connect(&path);
        let (asked, accepted) = tokio::join!(asked, first.accept());
        assert!(asked.is_ok() && accepted.is_ok(), "the first one serves");
    }

    #[tokio::test]
    async fn a_stale_socket_makes_way() {
        let (_directory, path) = path();
        drop(Unbound::bind(&path).unwrap());
        assert!(path.exists());
        Socket::bind(&path).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_socket_stays() {
        let (directory, path) = path();
        fs::write(&path, "somebody's").unwrap();
        assert!(matches!(
            Socket::bind(&path).await,
            Err(SocketError::NoSocket)
        ));
        assert_eq!(fs::read(&path).unwrap(), b"somebody's");
        // A link to a stale socket neither: what it names is not ours to remove.
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(
            Socket::bind(&link).await,
            Err(SocketError::NoSocket)
        ));
    }

    #[test]
    fn what_was_put_in_a_sockets_place_keeps_its_mode() {
        let (directory, path) = path();
        let key = directory.path().join("client.key");
        fs::write(&key, "private").unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&key, &path).unwrap();
        for path in [&path, &key] {
            assert!(matches!(open_to_all(path), Err(SocketError::NoSocket)));
        }
        let mode = fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[tokio::test]
    async fn another_programs_file_outlives_the_listener() {
        let (_directory, path) = path();
        let socket = Socket::bind(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        let _other = Unbound::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_removed_while_another_program_has_its_turn() {
        let (directory, path) = path();
        drop(Unbound::bind(&path).unwrap());
        let stale = fs::metadata(&path).unwrap().ino();
        let others_turn = turn(directory.path()).await.unwrap();
        assert!(matches!(
            Socket::bind(&path).await,
            Err(SocketError::Locked)
        ));
        assert_eq!(fs::metadata(&path).unwrap().ino(), stale);
        drop(others_turn);
        assert!(Socket::bind(&path).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn of_many_that_find_a_stale_socket_one_gets_its_path() {
        let (_directory, path) = path();
        for _ in 0..20 {
            drop(Unbound::bind(&path).unwrap());
            let all = (0..8).map(|_| {
                let path = path.clone();
                tokio::spawn(async move { Socket::bind(&path).await })
            });
            let mut won = Vec::new();
            for task in all.collect::<Vec<_>>() {
                match task.await.unwrap() {
                    Ok(socket) => won.push(socket),
                    Err(SocketError::InUse) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(won.len(), 1);
            assert!(UnixStream::connect(&path).await.is_ok(), "it is reached");
        }
    }
}
