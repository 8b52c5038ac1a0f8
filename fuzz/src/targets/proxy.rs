//! The header of a balancer: read in any pieces alike, and its source as it was written.

use std::net::SocketAddr;

use wire::proxy::{FIXED_LENGTH, MAX_LENGTH, ProxyError, header_length, source};

use crate::input::Input;

/// The bytes are what a peer begins with; and, in another reading, an address.
pub fn run(bytes: &[u8]) {
    check(bytes);
    let mut input = Input::new(bytes);
    let address: SocketAddr = match input.any() {
        true => (input.any::<[u8; 4]>(), input.any()).into(),
        false => (input.any::<[u8; 16]>(), input.any()).into(),
    };
    let mut block = match address {
        SocketAddr::V4(v4) => [v4.ip().octets().as_slice(), &[9; 4]].concat(),
        SocketAddr::V6(v6) => [v6.ip().octets().as_slice(), &[9; 16]].concat(),
    };
    block.extend(address.port().to_be_bytes());
    block.extend([1, 2]);
    block.extend(input.bytes(60));
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    header.push(if address.is_ipv4() { 0x11 } else { 0x21 });
    header.extend(
        u16::try_from(block.len())
            .expect("it is short")
            .to_be_bytes(),
    );
    header.extend(block);
    assert_eq!(header_length(&header), Ok(Some(header.len())));
    assert_eq!(source(&header), Ok(Some(address)));
    check(&input.spoiled(header));
}

fn check(bytes: &[u8]) {
    // What the whole is, every beginning of it is or may become.
    let whole = header_length(bytes);
    for end in 0..bytes.len().min(FIXED_LENGTH + 1) {
        match header_length(&bytes[..end]) {
            Ok(None) => assert!(end < FIXED_LENGTH),
            said => assert_eq!(said, whole),
        }
    }
    let Ok(Some(length)) = whole else {
        return;
    };
    assert!((FIXED_LENGTH..=MAX_LENGTH).contains(&length));
    let Some(header) = bytes.get(..length) else {
        return;
    };
    let (version, command, family) = (header[12] >> 4, header[12] & 15, header[13]);
    let found = match source(header) {
        Err(ProxyError::Version(it)) => return assert!(it == version && version != 2),
        Err(ProxyError::Command(it)) => return assert!(it == command && command > 1),
        Err(ProxyError::Family(it)) => return assert!(it == family && !is_assigned(family)),
        Err(ProxyError::Malformed(_)) => return assert!(length < FIXED_LENGTH + 216),
        Err(other) => panic!("{other}"),
        Ok(found) => found,
    };
    assert!(version == 2 && command < 2);
    match found {
        None => assert!(command == 0 || !matches!(family, 0x11 | 0x21)),
        Some(SocketAddr::V4(it)) => {
            assert_eq!(
                (family, &header[16..20]),
                (0x11, it.ip().octets().as_slice())
            );
        }
        Some(SocketAddr::V6(it)) => {
            assert_eq!(
                (family, &header[16..32]),
                (0x21, it.ip().octets().as_slice())
            );
        }
    }
}

fn is_assigned(family: u8) -> bool {
    family >> 4 <= 3 && family & 15 <= 2
}
