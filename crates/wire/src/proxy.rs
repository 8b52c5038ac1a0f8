//! The PROXY protocol, version 2: what a balancer says before anything else, so that it is known for
//! whom it connects. Who may say so is the caller's to decide, before a byte is read.
//!
//! Source: HAProxy, "The PROXY protocol", section 2.2 (`doc/proxy-protocol.txt`). What it leaves to a
//! receiver: type-length-values are passed over, a checksum among them too; what is neither TCP over
//! IPv4 nor over IPv6 counts as unspecified; a header may come in parts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Malformed;
use crate::cursor::Cursor;

/// The part of a header that says how long it is, in bytes.
pub const FIXED_LENGTH: usize = 16;

/// Longest header that is taken, in bytes. Addresses take 216 at most; the rest are
/// type-length-values, which senders keep within one segment.
pub const MAX_LENGTH: usize = 4096;

/// What begins every header.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The signature's first four bytes, as who expects a start-up packet takes them for its length.
pub const AS_STARTUP_LENGTH: u32 = 0x0d0a_0d0a;

/// Two addresses of unix sockets.
const UNIX_ADDRESSES: usize = 2 * 108;

/// Why a header is none; the connection is then closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It does not begin as one does: version 1, or no PROXY protocol at all.
    #[error("no header of the PROXY protocol, version 2")]
    Signature,
    /// Another version in a header that begins as one of version 2.
    #[error("a header of the PROXY protocol, version {0}: this server takes version 2")]
    Version(u8),
    /// A command that is neither LOCAL nor PROXY.
    #[error("a PROXY protocol header with the unknown command {0}")]
    Command(u8),
    /// A family or a transport that is not assigned, both in one byte.
    #[error("a PROXY protocol header with the unknown address family and transport {0:#04x}")]
    Family(u8),
    /// Over [`MAX_LENGTH`].
    #[error("a PROXY protocol header of {0} bytes: this server takes {MAX_LENGTH}")]
    Length(usize),
    /// Shorter than its addresses.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Length of the header at the front of `bytes`, itself included; `None` when too little of it has
/// arrived to tell. What cannot become a header is refused at its first wrong byte.
///
/// # Errors
/// It is no header, or a longer one than is taken.
pub fn header_length(bytes: &[u8]) -> Result<Option<usize>, ProxyError> {
    let begun = bytes.len().min(SIGNATURE.len());
    if bytes.get(..begun) != SIGNATURE.get(..begun) {
        return Err(ProxyError::Signature);
    }
    let Some(fixed) = bytes.first_chunk::<FIXED_LENGTH>() else {
        return Ok(None);
    };
    let [.., high, low] = *fixed;
    let length = FIXED_LENGTH + usize::from(u16::from_be_bytes([high, low]));
    match length {
        ..=MAX_LENGTH => Ok(Some(length)),
        _ => Err(ProxyError::Length(length)),
    }
}

/// Reads one whole header, as cut by [`header_length`]: the address that the connection comes from, or
/// `None` where the connection's own end is meant. That is so of a balancer's own connections (LOCAL),
/// and of sources that are no TCP address.
///
/// # Errors
/// The header is none, or says what is not assigned.
pub fn source(header: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    let mut cursor = Cursor::new(header, "PROXY protocol");
    if cursor.array::<12>()? != SIGNATURE {
        return Err(ProxyError::Signature);
    }
    let [version_and_command, family] = cursor.array()?;
    cursor.u16()?;
    if version_and_command >> 4 != 2 {
        return Err(ProxyError::Version(version_and_command >> 4));
    }
    match version_and_command & 0xf {
        // Whatever it says of addresses is passed over.
        0 => return Ok(None),
        1 => {}
        command => return Err(ProxyError::Command(command)),
    }
    match family {
        0x11 => Ok(Some(address(&mut cursor, Ipv4Addr::from)?)),
        0x21 => Ok(Some(address(&mut cursor, Ipv6Addr::from)?)),
        // Datagrams, and unspecified transports.
        0x10 | 0x12 => address(&mut cursor, Ipv4Addr::from).map(|_| None),
        0x20 | 0x22 => address(&mut cursor, Ipv6Addr::from).map(|_| None),
        0x30..=0x32 => {
            cursor.bytes(UNIX_ADDRESSES)?;
            Ok(None)
        }
        0x00..=0x02 => Ok(None),
        family => Err(ProxyError::Family(family)),
    }
}

/// Source and destination, then their ports: the source of them.
fn address<const N: usize, A: Into<IpAddr>>(
    cursor: &mut Cursor<'_>,
    of: impl Fn([u8; N]) -> A,
) -> Result<SocketAddr, ProxyError> {
    let source = of(cursor.array()?);
    cursor.bytes(N)?;
    let port = cursor.u16()?;
    cursor.u16()?;
    Ok(SocketAddr::new(source.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header as the specification draws it: signature, version and command, family and transport,
    /// length, and what follows.
    fn header(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![
            0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
        ];
        bytes.extend([version_and_command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    /// 192.0.2.1 port 56324 to 198.51.100.11 port 443.
    const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 11, 0xdc, 0x04, 0x01, 0xbb];

    /// 2001:db8::1 port 56324 to 2001:db8::2 port 443.
    fn v6() -> Vec<u8> {
        let mut block = vec![0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let prefix = block.clone();
        block.push(1);
        block.extend(prefix);
        block.extend([2, 0xdc, 0x04, 0x01, 0xbb]);
        block
    }

    fn read(bytes: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
        assert_eq!(header_length(bytes), Ok(Some(bytes.len())));
        source(bytes)
    }

    #[test]
    fn the_source_of_tcp_over_ipv4_and_ipv6_is_read() {
        let v4 = "192.0.2.1:56324".parse().unwrap();
        assert_eq!(read(&header(0x21, 0x11, &V4)), Ok(Some(v4)));
        let v6_address = "[2001:db8::1]:56324".parse().unwrap();
        assert_eq!(read(&header(0x21, 0x21, &v6())), Ok(Some(v6_address)));
    }

    #[test]
    fn type_length_values_behind_the_addresses_are_passed_over() {
        // PP2_TYPE_AUTHORITY, PP2_TYPE_NOOP, and one that ends early.
        let values = b"\x02\0\x0bdb.internal\x04\0\x03\0\0\0\xea\xff\xff";
        let block = [&V4, values.as_slice()].concat();
        let v4 = "192.0.2.1:56324".parse().unwrap();
        assert_eq!(read(&header(0x21, 0x11, &block)), Ok(Some(v4)));
    }

    #[test]
    fn a_balancers_own_connection_is_its_own_whatever_else_is_said() {
        for (family, rest) in [
            (0x00, [].as_slice()),
            (0x11, &V4),
            (0x11, &V4[..3]),
            (0xff, b"anything"),
        ] {
            assert_eq!(read(&header(0x20, family, rest)), Ok(None), "{family:#x}");
        }
    }

    #[test]
    fn what_is_not_tcp_has_no_source() {
        let unix = [0x2f; 216];
        for (family, rest) in [
            (0x00, [].as_slice()),
            (0x00, b"unspecified"),
            (0x01, b""),
            (0x10, &V4),
            (0x12, &V4),
            (0x20, &v6()),
            (0x22, &v6()),
            (0x30, &unix),
            (0x31, &unix),
            (0x32, &unix),
        ] {
            assert_eq!(read(&header(0x21, family, rest)), Ok(None), "{family:#x}");
        }
    }

    #[test]
    fn what_is_not_assigned_is_refused() {
        for family in [0x03, 0x13, 0x1f, 0x23, 0x33, 0x41, 0xf1] {
            let refused = read(&header(0x21, family, &[0; 216]));
            assert_eq!(refused, Err(ProxyError::Family(family)));
        }
        for (byte, error) in [
            (0x22, ProxyError::Command(2)),
            (0x2f, ProxyError::Command(15)),
            (0x11, ProxyError::Version(1)),
            (0x31, ProxyError::Version(3)),
            (0x01, ProxyError::Version(0)),
        ] {
            assert_eq!(read(&header(byte, 0x11, &V4)), Err(error), "{byte:#x}");
        }
    }

    #[test]
    fn a_header_that_is_shorter_than_its_addresses_is_refused() {
        for (family, whole) in [(0x11, 12), (0x12, 12), (0x21, 36), (0x22, 36), (0x31, 216)] {
            for length in [0, 1, whole - 1] {
                let refused = read(&header(0x21, family, &vec![1; length]));
                assert!(
                    matches!(refused, Err(ProxyError::Malformed(_))),
                    "{family:#x}"
                );
            }
            assert!(read(&header(0x21, family, &vec![1; whole])).is_ok());
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_its_first_wrong_byte() {
        let whole = header(0x21, 0x11, &V4);
        for length in 0..FIXED_LENGTH {
            assert_eq!(header_length(&whole[..length]), Ok(None), "{length}");
        }
        for wrong in 0..SIGNATURE.len() {
            let mut bytes = whole.clone();
            bytes[wrong] ^= 1;
            let refused = header_length(&bytes[..=wrong]);
            assert_eq!(refused, Err(ProxyError::Signature), "{wrong}");
            assert_eq!(source(&bytes), Err(ProxyError::Signature), "{wrong}");
        }
        // Version 1, TLS, an SSLRequest.
        for other in [b"PROXY TCP4 ".as_slice(), b"\x16\x03\x01", b"\0\0\0\x08"] {
            assert_eq!(header_length(other), Err(ProxyError::Signature));
        }
    }

    #[test]
    fn a_header_is_as_long_as_it_says_and_no_longer_than_is_taken() {
        let of = |length: usize| {
            let mut bytes = header(0x21, 0x11, &[]);
            bytes[14..].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            header_length(&bytes)
        };
        assert_eq!(of(0), Ok(Some(FIXED_LENGTH)));
        assert_eq!(of(MAX_LENGTH - FIXED_LENGTH), Ok(Some(MAX_LENGTH)));
        for length in [MAX_LENGTH - FIXED_LENGTH + 1, 0xffff] {
            let refused = Err(ProxyError::Length(FIXED_LENGTH + length));
            assert_eq!(of(length), refused);
        }
    }

    #[test]
    fn the_signature_is_no_length_of_a_start_up_packet() {
        let word = AS_STARTUP_LENGTH.to_be_bytes();
        assert_eq!(SIGNATURE.first_chunk(), Some(&word));
        assert!(crate::startup::packet_length(&word).is_err());
    }

    proptest! {
        #[test]
        fn any_address_is_read_as_it_was_written(
            source_address in any::<IpAddr>(),
            port: u16,
            destination in any::<[u8; 16]>(),
            values in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let (family, mut block) = match source_address {
                IpAddr::V4(address) => (0x11, address.octets().to_vec()),
                IpAddr::V6(address) => (0x21, address.octets().to_vec()),
            };
            block.extend(destination.iter().take(block.len()));
            block.extend(port.to_be_bytes());
            block.extend([0, 1]);
            block.extend(values);
            let expected = SocketAddr::new(source_address, port);
            prop_assert_eq!(read(&header(0x21, family, &block)), Ok(Some(expected)));
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            is_signed: bool,
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = match is_signed {
                true => [&SIGNATURE, bytes.as_slice()].concat(),
                false => bytes,
            };
            let _ = header_length(&bytes);
            let _ = source(&bytes);
        }
    }
}
