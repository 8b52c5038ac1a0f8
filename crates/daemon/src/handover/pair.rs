//! The pair of sockets between a process and its successor: one message a packet, with listening sockets
//! beside it.
//!
//! The two may be of different versions: a message keeps its form, and one that is not understood ends
//! the hand-over, not the service.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::socket_file::FileId;

/// Longest message, in bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// Sockets that go with one message at most: SCM_RIGHTS takes no more (unix(7)).
pub const MAX_SOCKETS: usize = 253;

/// What one says to the other.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// To the successor: these sockets are listened on, each with the file that goes with it.
    Sockets(Vec<Option<FileId>>),
    /// From it: it would serve.
    Ready,
    /// From it, its last: why it cannot.
    Failed(String),
    /// To it: it serves from now on.
    Go,
    /// From it: what only the predecessor knows.
    Question {
        /// By which the answer is known.
        number: u64,
        /// The program's own.
        body: String,
    },
    /// To it.
    Answer {
        /// The question's.
        number: u64,
        /// The program's own; none where it has nothing to say.
        body: Option<String>,
    },
}

/// The two ends.
///
/// # Errors
/// The operating system refuses.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// Sends one message, if there is room for it.
///
/// # Errors
/// There is none, the other end is closed, or the message is too long.
pub fn send(end: impl AsFd, message: &Message, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MAX_MESSAGE || sockets.len() > MAX_SOCKETS {
        return Err(io::Error::other("more than fits into a message"));
    }
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::other("more sockets than fit beside a message"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(end, &[IoSlice::new(&bytes)], &mut beside, flags)?;
    Ok(())
}

/// The next message with its sockets, if one is there; `None` where the other end is closed.
fn receive(end: impl AsFd) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let mut receive = || recvmsg(&end, &mut [IoSliceMut::new(&mut bytes)], &mut beside, flags);
    let received = match receive() {
        // Told once, before what was said last, where the other end has closed without reading all.
        Err(Errno::CONNRESET) => receive()?,
        received => received?,
    };
    // Taken whatever follows: what is not wanted is closed.
    let sockets: Vec<OwnedFd> = beside
        .drain()
        .filter_map(|it| match it {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        })
        .flatten()
        .collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    let cut = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
    if received.flags.intersects(cut) {
        return Err(io::Error::other("a message was cut off"));
    }
    let message = bytes.get(..received.bytes).unwrap_or_default();
    let message: Message = serde_json::from_slice(message)
        .map_err(|_| io::Error::other("a message is not understood"))?;
    let announced = match &message {
        Message::Sockets(files) => files.len(),
        _ => 0,
    };
    match announced == sockets.len() {
        true => Ok(Some((message, sockets))),
        false => Err(io::Error::other(
            "a message came with another number of sockets",
        )),
    }
}

/// One end, in async code. The runtime has no type for packets in sequence: of this one nothing is used but
/// when it can be read from and written to.
#[derive(Debug)]
pub struct Channel(UnixDatagram);

impl Channel {
    /// Of an end that does not block.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        UnixDatagram::from_std(end.into()).map(Self)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The other end is closed, or the message is too long.
    pub async fn send(&self, message: &Message, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let send = || send(&self.0, message, sockets);
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// The next message with its sockets; `None` where the other end is closed. May be dropped while it
    /// waits: nothing is lost.
    ///
    /// # Errors
    /// What came is no message.
    pub async fn receive(&self) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
        self.0
            .async_io(Interest::READABLE, || receive(&self.0))
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn raw(end: &OwnedFd, bytes: &[u8], sockets: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_SOCKETS))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        assert!(sockets.is_empty() || beside.push(SendAncillaryMessage::ScmRights(sockets)));
        sendmsg(end, &[IoSlice::new(bytes)], &mut beside, SendFlags::empty()).unwrap();
    }

    #[test]
    fn sockets_arrive_with_their_message() {
        let (ours, theirs) = pair().unwrap();
        let sockets = [listener(), listener()];
        let lent: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        send(&ours, &Message::Sockets(vec![None, None]), &lent).unwrap();
        let (message, arrived) = receive(&theirs).unwrap().unwrap();
        assert_eq!(message, Message::Sockets(vec![None, None]));
        let address = |it: TcpListener| it.local_addr().unwrap();
        let arrived: Vec<_> = arrived.into_iter().map(|it| address(it.into())).collect();
        assert_eq!(arrived, sockets.map(address));
        drop(ours);
        assert_eq!(receive(&theirs).unwrap().map(|(it, _)| it), None);
    }

    #[test]
    fn as_many_sockets_as_may_be_go_and_one_more_does_not() {
        let (ours, theirs) = pair().unwrap();
        let listener = listener();
        let many = vec![listener.as_fd(); MAX_SOCKETS + 1];
        let message = |count| Message::Sockets(vec![None; count]);
        let most = many.get(..MAX_SOCKETS).unwrap();
        send(&ours, &message(MAX_SOCKETS), most).unwrap();
        let (_, arrived) = receive(&theirs).unwrap().unwrap();
        assert_eq!(arrived.len(), MAX_SOCKETS);
        assert!(send(&ours, &message(MAX_SOCKETS + 1), &many).is_err());
    }

    #[test]
    fn last_words_arrive_from_who_has_not_listened() {
        let (ours, theirs) = pair().unwrap();
        send(&ours, &Message::Sockets(Vec::new()), &[]).unwrap();
        let last = || Message::Failed("why".to_owned());
        send(&theirs, &last(), &[]).unwrap();
        drop(theirs);
        assert_eq!(receive(&ours).unwrap().unwrap().0, last());
        assert!(receive(&ours).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let (ours, theirs) = pair().unwrap();
        let listener = listener();
        let long = vec![b' '; MAX_MESSAGE + 1];
        let cases: [(&[u8], usize); 6] = [
            (b"nonsense", 0),
            (b"{\"Later\":1}", 0),
            (b"\"Ready\"", 1),
            (br#"{"Sockets":[null]}"#, 0),
            (br#"{"Sockets":[null]}"#, 2),
            (&long, 0),
        ];
        for (bytes, sockets) in cases {
            raw(&ours, bytes, &vec![listener.as_fd(); sockets]);
            assert!(receive(&theirs).is_err(), "{}", bytes.escape_ascii());
        }
        raw(&ours, b"\"Ready\"", &[]);
        assert_eq!(receive(&theirs).unwrap().unwrap().0, Message::Ready);
        let question = Message::Failed("x".repeat(MAX_MESSAGE));
        assert!(send(&ours, &question, &[]).is_err());
    }
}
