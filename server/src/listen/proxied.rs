//! Connections that a balancer has made for somebody else: whether they are such, and for whom.
//!
//! What a header says is `wire::proxy`'s.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt};
use wire::proxy::{self, FIXED_LENGTH};

use super::peer::Turned;
use crate::shared::Shared;

/// Whether this peer says for whom it connects, and so has to.
pub fn announces(peer: SocketAddr, shared: &Shared) -> bool {
    let networks = &shared.proxied_from;
    networks.iter().any(|network| network.contains(peer.ip()))
}

/// Reads what a balancer says first, and not a byte more: for whom the connection is, if not for the
/// balancer itself.
pub(super) async fn source(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, Turned> {
    let mut header = vec![0; FIXED_LENGTH];
    let mut filled = 0;
    let length = loop {
        let (begun, rest) = header.split_at_mut(filled);
        if let Some(length) = proxy::header_length(begun)? {
            break length;
        }
        filled += match stream.read(rest).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            count => count,
        };
    };
    header.resize(length, 0);
    let rest = header.get_mut(FIXED_LENGTH..).unwrap_or_default();
    stream.read_exact(rest).await?;
    Ok(proxy::source(&header)?)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use wire::proxy::ProxyError;

    use super::*;

    /// What is read of these bytes, one at a time, and what is left behind it.
    async fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, Turned>, Vec<u8>) {
        let (mut near, mut far) = tokio::io::duplex(1);
        let bytes = bytes.to_vec();
        let written = tokio::spawn(async move {
            // Whoever has heard enough may hang up.
            let _ = far.write_all(&bytes).await;
        });
        let source = source(&mut near).await;
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        written.await.unwrap();
        (source, rest)
    }

    #[tokio::test]
    async fn a_header_is_read_to_its_end_and_no_further_however_it_comes() {
        let fixed = *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0e";
        let block = [
            192, 0, 2, 1, 192, 0, 2, 99, 0x12, 0x67, 0x24, 0xb1, 0xff, 0xff,
        ];
        let (source, rest) = read(&[&fixed, block.as_slice(), b"\x16\x03"].concat()).await;
        assert_eq!(source.unwrap(), Some(([192, 0, 2, 1], 4711).into()));
        assert_eq!(rest, b"\x16\x03");
        let local = *b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        let (source, rest) = read(&[local.as_slice(), b"\0"].concat()).await;
        assert_eq!((source.unwrap(), rest.as_slice()), (None, b"\0".as_slice()));
        let whole = [fixed.as_slice(), &block].concat();
        for length in 0..whole.len() {
            let (source, _) = read(&whole[..length]).await;
            assert!(matches!(source, Err(Turned::Io(_))), "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_known_by_its_first_byte() {
        let (source, rest) = read(b"\x16\x03\x01").await;
        assert!(matches!(source, Err(Turned::Header(ProxyError::Signature))));
        assert_eq!(rest, b"\x03\x01");
    }
}
