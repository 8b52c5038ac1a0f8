//! The kernel's table of TCP sockets, for what a test cannot see from its own end: who listens, and
//! whether a program has read what was sent to it.

use std::fs;
use std::net::{SocketAddr, TcpStream};

use crate::deadline::until;

/// States of a socket, as the table has them.
const LISTENS: &str = "0A";

/// One socket.
struct Row<'a> {
    local: &'a str,
    remote: &'a str,
    state: &'a str,
    /// Bytes that the other end has not acknowledged, and bytes that nobody here has read, both in
    /// hexadecimal.
    queues: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split_whitespace().skip(1);
        Some(Self {
            local: fields.next()?,
            remote: fields.next()?,
            state: fields.next()?,
            queues: fields.next()?,
        })
    }
}

/// True if a TCP socket listens on this port, as the process sees it.
pub(crate) fn listens(pid: u32, port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    // A process that has just ended has no table any more; its end is found elsewhere.
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let mut rows = table.lines().filter_map(Row::parse);
    rows.any(|row| row.local.ends_with(&suffix) && row.state == LISTENS)
}

/// Waits until the program at the other end of a connection within this machine has read all that
/// was sent, or has closed it.
pub(crate) fn wait_until_read(stream: &TcpStream) {
    let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else {
        return;
    };
    let (ours, theirs) = (hexadecimal(ours), hexadecimal(theirs));
    until("a program to read what it was sent", || {
        let table = fs::read_to_string("/proc/self/net/tcp").expect("the kernel has a table");
        let mut unread = table.lines().filter_map(Row::parse).filter(|row| {
            let ends = [row.local, row.remote];
            match row.queues.split_once(':') {
                Some((sent, _)) if ends == [&ours, &theirs] => any(sent),
                Some((_, received)) if ends == [&theirs, &ours] => any(received),
                _ => false,
            }
        });
        unread.next().is_none().then_some(())
    });
}

fn any(count: &str) -> bool {
    count.bytes().any(|digit| digit != b'0')
}

/// As the table has it: the address is a number in the machine's own order of bytes.
fn hexadecimal(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        panic!("{address}: tests connect by IPv4");
    };
    let ip = u32::from_ne_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X}", address.port())
}
