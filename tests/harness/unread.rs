//! Whether a program has read what was sent to it, which only the kernel can tell: it is asked by
//! `sock_diag(7)` about both ends of one connection.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, netlink, recv, send, socket};

use crate::deadline::PATIENCE;

/// The pause between two questions: short, because thousands of streams are cut.
const PAUSE: Duration = Duration::from_micros(50);

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// What is before the queues in `struct inet_diag_msg`.
const BEFORE_QUEUES: usize = 56;

/// Waits until the program at the other end of a connection within this machine has read all that
/// was sent, or has closed it.
pub(crate) fn wait_until_read(stream: &TcpStream) {
    let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else {
        return;
    };
    let end = Instant::now() + PATIENCE;
    while is_unread(ours, theirs)
        .unwrap_or_else(|error| panic!("asking the kernel (sock_diag) about sockets: {error}"))
    {
        assert!(
            Instant::now() < end,
            "gave up waiting for a program to read what it was sent after {PATIENCE:?}"
        );
        thread::sleep(PAUSE);
    }
}

fn is_unread(ours: SocketAddr, theirs: SocketAddr) -> io::Result<bool> {
    let sent = queues(ours, theirs)?.is_some_and(|[_, sent]| sent > 0);
    let received = queues(theirs, ours)?.is_some_and(|[received, _]| received > 0);
    Ok(sent || received)
}

/// Bytes that the socket of these ends has received and nobody has read, and bytes that it has sent
/// and the other end has not acknowledged; `None` if there is no such socket.
fn queues(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<[u32; 2]>> {
    let kernel = socket(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&kernel, &question(local, remote), SendFlags::empty())?;
    let mut answer = [0; 512];
    let (length, _) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
    let answer = answer.get(..length).unwrap_or_default();
    let word = |at: usize| {
        let bytes = answer.get(at..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    let truncated = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let kind = answer.get(4..6).and_then(<[u8]>::first_chunk);
    if kind.map(|kind| u16::from_ne_bytes(*kind)) == Some(NLMSG_ERROR) {
        let error = word(HEADER).ok_or_else(truncated)?;
        let error = Errno::from_raw_os_error(error.cast_signed().saturating_neg());
        return match error {
            Errno::NOENT => Ok(None),
            error => Err(error.into()),
        };
    }
    let at = HEADER + BEFORE_QUEUES;
    match (word(at), word(at + 4)) {
        (Some(received), Some(sent)) => Ok(Some([received, sent])),
        _ => Err(truncated()),
    }
}

const NLMSG_ERROR: u16 = 2;

/// `SOCK_DIAG_BY_FAMILY` for one TCP socket: a `struct nlmsghdr` and a `struct inet_diag_req_v2`.
fn question(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST: u16 = 1;
    const AF_INET: u8 = 2;
    const IPPROTO_TCP: u8 = 6;
    let address = |end: SocketAddr| match end {
        SocketAddr::V4(end) => [end.ip().octets().as_slice(), &[0; 12]].concat(),
        SocketAddr::V6(end) => end.ip().octets().to_vec(),
    };
    let asked = [
        [AF_INET, IPPROTO_TCP, 0, 0].as_slice(),
        // Any state.
        &u32::MAX.to_ne_bytes(),
        &local.port().to_be_bytes(),
        &remote.port().to_be_bytes(),
        &address(local),
        &address(remote),
        // Any interface, and no cookie.
        &0u32.to_ne_bytes(),
        &u64::MAX.to_ne_bytes(),
    ]
    .concat();
    let length = u32::try_from(HEADER + asked.len()).expect("it is short");
    [
        length.to_ne_bytes().as_slice(),
        &SOCK_DIAG_BY_FAMILY.to_ne_bytes(),
        &NLM_F_REQUEST.to_ne_bytes(),
        &[0; 8],
        &asked,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn bytes_are_unread_until_somebody_reads_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        let ends = (ours.local_addr().unwrap(), ours.peer_addr().unwrap());
        assert!(!is_unread(ends.0, ends.1).unwrap());
        ours.write_all(b"five!").unwrap();
        assert_eq!(queues(ends.1, ends.0).unwrap(), Some([5, 0]));
        theirs.read_exact(&mut [0; 4]).unwrap();
        assert!(is_unread(ends.0, ends.1).unwrap());
        theirs.read_exact(&mut [0; 1]).unwrap();
        wait_until_read(&ours);
        drop((ours, theirs));
        assert!(!is_unread(ends.0, ends.1).unwrap());
    }
}
