//! TCP options of every data connection.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// A connection this long without a byte is asked whether its peer is still there,
const IDLE: Duration = Duration::from_secs(60);
/// again after each of these,
const INTERVAL: Duration = Duration::from_secs(10);
/// and given up after so many without an answer.
const RETRIES: u32 = 6;
/// Bytes that are not acknowledged for this long end the connection: the peer's host is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

/// No delay for small messages, and an end to peers that have vanished without a word.
///
/// # Errors
/// The operating system refuses.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(IDLE)
        .with_interval(INTERVAL)
        .with_retries(RETRIES);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))
}
