//! The sockets that a program listens on: those that it was given at its start, told by their addresses,
//! the others bound by itself; and all of them once more for its successor.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::net::sockopt::{socket_acceptconn, socket_domain};
use rustix::net::{AddressFamily, SocketType};
use tokio::net::{TcpListener, UnixListener};

use super::pair::{Channel, Message};
use crate::Failure;
use crate::socket_file::{FileId, SocketFile};

/// What is listened on.
pub trait Listens: Send + Sync {
    /// The socket.
    fn socket(&self) -> BorrowedFd<'_>;

    /// The file that goes with it.
    fn file(&self) -> Option<&SocketFile> {
        None
    }
}

impl Listens for TcpListener {
    fn socket(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

/// All of a program.
pub struct Sockets {
    given: Mutex<Vec<Existing>>,
    /// Those that are listened on, for as long as they are.
    open: Mutex<Vec<Weak<dyn Listens>>>,
    /// Nobody else listens on what was given.
    is_passed: bool,
}

/// One that was there before the program.
struct Existing {
    at: Place,
    socket: OwnedFd,
    file: Option<SocketFile>,
}

#[derive(PartialEq, Eq)]
enum Place {
    Tcp(SocketAddr),
    Path(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl Sockets {
    /// Those that a service manager has passed. Each has to be taken.
    ///
    /// # Errors
    /// One of them is not listened on.
    pub(super) fn passed(sockets: Vec<OwnedFd>) -> Result<Self, Failure> {
        let given = sockets
            .into_iter()
            .map(|socket| Existing::new(socket, None));
        let given = given.collect::<io::Result<Vec<_>>>();
        let given = given.map_err(|cause| Failure::Usage(format!("LISTEN_FDS: {cause}")))?;
        Ok(Self::new(given, true))
    }

    /// Those of the predecessor.
    ///
    /// # Errors
    /// One of them is not listened on.
    pub(super) fn of_predecessor(
        sockets: Vec<OwnedFd>,
        files: Vec<Option<FileId>>,
    ) -> Result<Self, Failure> {
        let given = sockets.into_iter().zip(files);
        let given = given.map(|(socket, file)| Existing::new(socket, file));
        let given = given.collect::<io::Result<Vec<_>>>();
        let given = given.map_err(|cause| Failure::failed("the predecessor's sockets", cause))?;
        Ok(Self::new(given, false))
    }

    fn new(given: Vec<Existing>, is_passed: bool) -> Self {
        Self {
            given: Mutex::new(given),
            open: Mutex::default(),
            is_passed,
        }
    }

    /// Listens at an address, which `key` of the configuration names.
    ///
    /// # Errors
    /// The operating system refuses.
    pub async fn tcp(&self, key: &str, address: SocketAddr) -> Result<Arc<TcpListener>, Failure> {
        let listener = match self.take(&Place::Tcp(address)) {
            Some(given) => TcpListener::from_std(given.socket.into()),
            None => TcpListener::bind(address).await,
        };
        let failed = |cause| Failure::Failed(format!("{key}: {address}: {cause}"));
        let listener = Arc::new(listener.map_err(failed)?);
        self.note(&listener);
        Ok(listener)
    }

    /// The socket at a path, and its file where that is to go with it, if one was given.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn unix(&self, path: &Path) -> io::Result<Option<(UnixListener, Option<SocketFile>)>> {
        let Some(given) = self.take(&Place::Path(path.to_owned())) else {
            return Ok(None);
        };
        let listener = UnixListener::from_std(given.socket.into())?;
        Ok(Some((listener, given.file)))
    }

    /// Takes note of what is listened on, for the successor.
    pub fn note<L: Listens + 'static>(&self, listener: &Arc<L>) {
        let listener: Arc<dyn Listens> = listener.clone();
        self.open().push(Arc::downgrade(&listener));
    }

    /// Once all that the configuration names are listened on: a service manager's that are left would keep
    /// who connects there waiting for ever.
    ///
    /// # Errors
    /// There are such.
    pub fn complete(&self) -> Result<(), Failure> {
        match self.given().first() {
            Some(given) if self.is_passed => Err(Failure::Usage(format!(
                "the service manager listens on {}, which the configuration does not name; write both in \
                 the same way",
                given.at
            ))),
            _ => Ok(()),
        }
    }

    /// They are this process's now, and those that nobody wants are closed.
    pub(super) fn are_ours(&self) {
        self.set_files_ours(true);
        let given = std::mem::take(&mut *self.given());
        for Existing { at, file, .. } in &given {
            tracing::info!(address = %at, "not listened on any more: the configuration does not name it");
            if let Some(file) = file {
                file.set_ours(true);
            }
        }
    }

    /// They are the successor's now.
    pub(super) fn are_the_successors(&self) {
        self.set_files_ours(false);
    }

    fn set_files_ours(&self, are_ours: bool) {
        for listener in self.open().iter().filter_map(Weak::upgrade) {
            if let Some(file) = listener.file() {
                file.set_ours(are_ours);
            }
        }
    }

    /// Passes them on, to be listened on there too.
    pub(super) async fn pass_on(&self, channel: &Channel) -> io::Result<()> {
        let open: Vec<_> = self.open().iter().filter_map(Weak::upgrade).collect();
        let files = open.iter().map(|it| it.file().map(SocketFile::id));
        let message = Message::Sockets(files.collect());
        let sockets: Vec<_> = open.iter().map(|it| it.socket()).collect();
        channel.send(&message, &sockets).await
    }

    fn take(&self, at: &Place) -> Option<Existing> {
        let mut given = self.given();
        let found = given.iter().position(|it| it.at == *at)?;
        Some(given.swap_remove(found))
    }

    fn given(&self) -> MutexGuard<'_, Vec<Existing>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<dyn Listens>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Existing {
    fn new(socket: OwnedFd, file: Option<FileId>) -> io::Result<Self> {
        let is_stream = rustix::net::sockopt::socket_type(&socket)? == SocketType::STREAM;
        if !is_stream || !socket_acceptconn(&socket)? {
            return Err(io::Error::other("a socket that is not listened on"));
        }
        // Both that share a socket share this, and rely on it.
        rustix::io::ioctl_fionbio(&socket, true)?;
        let at = match socket_domain(&socket)? {
            AddressFamily::UNIX => {
                let listener = unix::UnixListener::from(socket.try_clone()?);
                let path = listener.local_addr()?.as_pathname().map(Path::to_owned);
                Place::Path(path.ok_or_else(|| io::Error::other("a unix socket without a path"))?)
            }
            _ => Place::Tcp(net::TcpListener::from(socket.try_clone()?).local_addr()?),
        };
        let file = match (&at, file) {
            (Place::Path(path), Some(id)) => Some(SocketFile::of_predecessor(path, id)),
            _ => None,
        };
        Ok(Self { at, socket, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Unix(unix::UnixListener, SocketFile);

    impl Listens for Unix {
        fn socket(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        fn file(&self) -> Option<&SocketFile> {
            Some(&self.1)
        }
    }

    fn at(path: &Path) -> Arc<Unix> {
        let listener = unix::UnixListener::bind(path).unwrap();
        let id = FileId::from(&std::fs::symlink_metadata(path).unwrap());
        Arc::new(Unix(listener, SocketFile::made(path, id)))
    }

    /// What the successor of a program with these sockets is given.
    async fn given(sockets: &Sockets) -> Sockets {
        let (ours, theirs) = super::super::pair::pair().unwrap();
        sockets.pass_on(&Channel::new(ours).unwrap()).await.unwrap();
        let received = Channel::new(theirs).unwrap().receive().await;
        match received.unwrap().unwrap() {
            (Message::Sockets(files), sockets) => Sockets::of_predecessor(sockets, files).unwrap(),
            (other, _) => panic!("{other:?}"),
        }
    }

    fn none() -> Sockets {
        Sockets::passed(Vec::new()).unwrap()
    }

    #[tokio::test]
    async fn a_successor_listens_on_the_same_socket_and_binds_what_is_new() {
        let sockets = none();
        let any = "127.0.0.1:0".parse().unwrap();
        let first = sockets.tcp("listen", any).await.unwrap();
        let address = first.local_addr().unwrap();
        // Bound by one process, an address is not bound by another.
        assert!(none().tcp("listen", address).await.is_err());
        let successors = given(&sockets).await;
        let second = successors.tcp("listen", address).await.unwrap();
        assert!(successors.tcp("listen", any).await.is_ok());
        drop(first);
        let asked = tokio::net::TcpStream::connect(address);
        let (asked, accepted) = tokio::join!(asked, second.accept());
        assert!(asked.is_ok() && accepted.is_ok());
    }

    #[tokio::test]
    async fn what_is_closed_is_not_passed_on() {
        let sockets = none();
        let any = "127.0.0.1:0".parse().unwrap();
        drop(sockets.tcp("listen", any).await.unwrap());
        let kept = sockets.tcp("listen", any).await.unwrap();
        let address = kept.local_addr().unwrap();
        let successors = given(&sockets).await;
        let addresses: Vec<_> = successors
            .given()
            .iter()
            .map(|it| it.at.to_string())
            .collect();
        assert_eq!(addresses, [address.to_string()]);
    }

    #[tokio::test]
    async fn a_sockets_file_goes_with_the_process_whose_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let [kept, unwanted] = ["kept", "unwanted"].map(|name| directory.path().join(name));
        let sockets = none();
        let open = [at(&kept), at(&unwanted)];
        open.iter().for_each(|it| sockets.note(it));
        // A successor that comes to nothing takes nothing with it.
        drop(given(&sockets).await);
        let successors = given(&sockets).await;
        drop(successors.unix(&kept).unwrap().unwrap());
        assert!(kept.exists() && unwanted.exists());
        // One that takes over: what it does not listen on goes then, the rest with it.
        let successors = given(&sockets).await;
        let (listener, file) = successors.unix(&kept).unwrap().unwrap();
        let taken = Arc::new(Unix(listener.into_std().unwrap(), file.unwrap()));
        successors.note(&taken);
        sockets.are_the_successors();
        drop(open);
        assert!(kept.exists() && unwanted.exists());
        successors.are_ours();
        assert!(kept.exists() && !unwanted.exists());
        drop(taken);
        assert!(!kept.exists());
    }

    #[tokio::test]
    async fn a_service_managers_socket_has_to_be_wanted() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let passed = || Sockets::passed(vec![listener.try_clone().unwrap().into()]).unwrap();
        let unwanted = passed();
        let why = unwanted.complete().unwrap_err().to_string();
        assert!(why.contains(&address.to_string()), "{why}");
        let wanted = passed();
        wanted.tcp("listen", address).await.unwrap();
        assert!(wanted.complete().is_ok());
    }

    #[test]
    fn what_is_not_listened_on_is_not_taken() {
        let (one, other) = unix::UnixStream::pair().unwrap();
        let datagrams = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for socket in [one.into(), other.into(), datagrams.into()] {
            assert!(Sockets::passed(vec![socket]).is_err());
        }
    }
}
