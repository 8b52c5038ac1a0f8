//! Start-up packets: what is read is written again as it was.

use wire::originate;
use wire::startup::{MAX_STARTUP_LENGTH, Packet, StartupError, packet_length};

/// The bytes are a packet.
pub fn run(bytes: &[u8]) {
    let announced = bytes.first_chunk().map(|word| u32::from_be_bytes(*word));
    match (packet_length(bytes), announced) {
        (Ok(None), None) => return,
        (Err(StartupError::Length(said)), Some(length)) => {
            assert_eq!(said, length);
            assert!(!(8..=MAX_STARTUP_LENGTH as u32).contains(&length));
        }
        (Ok(Some(whole)), Some(length)) => assert_eq!(whole, length as usize),
        (other, _) => panic!("{other:?} of {announced:?}"),
    }
    let Ok(packet) = Packet::parse(bytes) else {
        // Of what is cut short nothing is a packet either.
        return;
    };
    // The length word is the caller's, who has cut by it.
    let body = &bytes[4..];
    match packet {
        Packet::Ssl => assert_eq!(body, &originate::ssl_request()[4..]),
        Packet::GssEnc => assert_eq!(body, 80_877_104u32.to_be_bytes()),
        Packet::Cancel { pid, secret } => {
            assert_eq!(body, &originate::cancel_request(pid, secret)[4..]);
        }
        Packet::Startup { parameters } => {
            let pairs = pairs(&bytes[8..]).expect("it was read");
            for (name, _) in &pairs {
                let Ok(text) = str::from_utf8(name) else {
                    continue;
                };
                let last = pairs.iter().rev().find(|(it, _)| it == name);
                assert_eq!(parameters.get(text), last.map(|(_, value)| *value));
            }
            assert_eq!(parameters.get(""), None);
            assert_eq!(written(&pairs), body[4..]);
            let asks = pairs.iter().rev().find(|(name, _)| *name == b"replication");
            let value = asks.map(|(_, value)| value.to_ascii_lowercase());
            assert_eq!(
                parameters.is_replication(),
                value.is_some_and(|value| !is_off(&value))
            );
        }
    }
}

/// What PostgreSQL's `parse_bool` takes for false: "off" from its second letter on, beginnings of the others.
fn is_off(value: &[u8]) -> bool {
    b"false".starts_with(value)
        || b"no".starts_with(value)
        || (value.len() > 1 && b"off".starts_with(value))
        || value == b"0"
}

type Pair<'a> = (&'a [u8], &'a [u8]);

fn pairs(bytes: &[u8]) -> Option<Vec<Pair<'_>>> {
    let mut texts = bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let mut pairs = Vec::new();
    loop {
        match (texts.next(), texts.next()) {
            (Some(name), Some(value)) => pairs.push((name, value)),
            _ => return Some(pairs),
        }
    }
}

fn written(pairs: &[Pair<'_>]) -> Vec<u8> {
    let texts = pairs.iter().flat_map(|(name, value)| [*name, *value]);
    let mut bytes: Vec<u8> = texts.flat_map(|text| [text, b"\0"].concat()).collect();
    bytes.push(0);
    bytes
}
