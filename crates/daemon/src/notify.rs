//! Tells the service manager how a program is: the protocol of sd_notify(3), a word in a datagram.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// How a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It serves.
    Ready,
    /// It has begun to end.
    Stopping,
    /// The process of this id serves in its place.
    HandedOver(u32),
}

/// Tells whoever has started the program, where `NOTIFY_SOCKET` says that it wants to know.
pub fn notify(status: Status) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(&socket, status) {
        tracing::warn!(%error, "the service manager cannot be told: NOTIFY_SOCKET");
    }
}

fn send(socket: &OsStr, status: Status) -> io::Result<()> {
    let word = match status {
        Status::Ready => "READY=1".to_owned(),
        Status::Stopping => "STOPPING=1".to_owned(),
        Status::HandedOver(pid) => format!("MAINPID={pid}\nREADY=1"),
    };
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(word.as_bytes(), &address)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hears(socket: &UnixDatagram) -> String {
        let mut word = [0; 64];
        let length = socket.recv(&mut word).unwrap();
        String::from_utf8(word[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_service_manager_hears_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), Status::Ready).unwrap();
        send(path.as_os_str(), Status::Stopping).unwrap();
        assert_eq!(hears(&socket), "READY=1");
        assert_eq!(hears(&socket), "STOPPING=1");
        send(path.as_os_str(), Status::HandedOver(7)).unwrap();
        assert_eq!(hears(&socket), "MAINPID=7\nREADY=1");

        let name = format!("pgseal-test-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        send(OsStr::new(&format!("@{name}")), Status::Ready).unwrap();
        assert_eq!(hears(&socket), "READY=1");

        assert!(send(OsStr::new("/no/such/socket"), Status::Ready).is_err());
    }
}
