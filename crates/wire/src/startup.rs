//! The packets that come before the first typed message: start-up, the requests to encrypt, and
//! the request to cancel. They carry no type byte.

use crate::Malformed;
use crate::cursor::Cursor;

/// What PostgreSQL itself accepts as a start-up packet (`MAX_STARTUP_PACKET_LENGTH`).
pub const MAX_STARTUP_LENGTH: usize = 10_000;

/// Cancel keys are 4 bytes in protocol 3.0 and up to 256 in 3.2.
pub const MAX_CANCEL_SECRET: usize = 256;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// One packet of the start-up phase, borrowed from the bytes it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// SSLRequest.
    Ssl,
    /// GSSENCRequest.
    GssEnc,
    /// CancelRequest: the process id and the secret of BackendKeyData.
    Cancel {
        /// Process id of the PostgreSQL backend to cancel.
        pid: u32,
        /// 4 to [`MAX_CANCEL_SECRET`] bytes.
        secret: &'a [u8],
    },
    /// StartupMessage of protocol major version 3.
    Startup {
        /// Name and value pairs, as they stand.
        parameters: Parameters<'a>,
    },
}

/// Why a start-up packet cannot be taken; the connection is then closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartupError {
    /// Under 8 or over [`MAX_STARTUP_LENGTH`].
    #[error("start-up packet announces {0} bytes")]
    Length(u32),
    /// Not a protocol this program knows.
    #[error("unsupported frontend protocol {major}.{minor}: this server supports 3")]
    Protocol {
        /// Major version asked for.
        major: u16,
        /// Minor version asked for.
        minor: u16,
    },
    /// The body contradicts its type.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Length of the start-up packet at the front of `bytes`, itself included; `None` when the length
/// word has not all arrived.
///
/// # Errors
/// The length is out of bounds.
pub fn packet_length(bytes: &[u8]) -> Result<Option<usize>, StartupError> {
    let Some(word) = bytes.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*word);
    match usize::try_from(length) {
        Ok(whole @ 8..=MAX_STARTUP_LENGTH) => Ok(Some(whole)),
        _ => Err(StartupError::Length(length)),
    }
}

impl<'a> Packet<'a> {
    /// Reads one whole packet, as cut by [`packet_length`].
    ///
    /// # Errors
    /// An unknown protocol version, or a body that contradicts its type.
    pub fn parse(packet: &'a [u8]) -> Result<Self, StartupError> {
        let mut cursor = Cursor::new(packet, "start-up");
        cursor.u32()?;
        match cursor.u32()? {
            SSL_REQUEST => cursor.finish().map(|()| Self::Ssl).map_err(Into::into),
            GSS_ENC_REQUEST => cursor.finish().map(|()| Self::GssEnc).map_err(Into::into),
            CANCEL_REQUEST => {
                let pid = cursor.u32()?;
                let secret = packet.get(12..).unwrap_or_default();
                if !(4..=MAX_CANCEL_SECRET).contains(&secret.len()) {
                    return Err(Malformed {
                        message: "CancelRequest",
                    }
                    .into());
                }
                Ok(Self::Cancel { pid, secret })
            }
            version if version >> 16 == 3 => {
                let parameters = Parameters {
                    bytes: packet.get(8..).unwrap_or_default(),
                };
                parameters.check()?;
                Ok(Self::Startup { parameters })
            }
            version => Err(StartupError::Protocol {
                major: (version >> 16) as u16,
                minor: (version & 0xffff) as u16,
            }),
        }
    }
}

/// The name and value pairs of a StartupMessage, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters<'a> {
    bytes: &'a [u8],
}

impl<'a> Parameters<'a> {
    fn check(&self) -> Result<(), Malformed> {
        let mut cursor = Cursor::new(self.bytes, "StartupMessage");
        while !cursor.c_string()?.is_empty() {
            cursor.c_string()?;
        }
        cursor.finish()
    }

    /// The value of the last parameter called `name`, as PostgreSQL would take it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let mut cursor = Cursor::new(self.bytes, "StartupMessage");
        let mut found = None;
        while let Ok(key) = cursor.c_string() {
            if key.is_empty() {
                break;
            }
            let value = cursor.c_string().ok()?;
            if key == name.as_bytes() {
                found = Some(value);
            }
        }
        found
    }

    /// True for a connection that speaks the replication protocol, whose messages are not rows.
    #[must_use]
    pub fn is_replication(&self) -> bool {
        // PostgreSQL's parse_bool accepts unique prefixes and either case; "database" is true too.
        self.get("replication").is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            let off: [&[u8]; 10] = [
                b"", b"0", b"off", b"of", b"f", b"fa", b"fal", b"fals", b"false", b"no",
            ];
            !(off.contains(&value.as_slice()) || value == b"n")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
        let mut bytes = (rest.len() as u32 + 8).to_be_bytes().to_vec();
        bytes.extend(code.to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn lengths_outside_the_bounds_are_refused() {
        for length in [0u32, 7, 10_001, 0x1603_0100, u32::MAX] {
            assert_eq!(
                packet_length(&length.to_be_bytes()),
                Err(StartupError::Length(length))
            );
        }
        assert_eq!(packet_length(&[0, 0, 0]), Ok(None));
        assert_eq!(packet_length(&10_000u32.to_be_bytes()), Ok(Some(10_000)));
    }

    #[test]
    fn a_startup_message_gives_its_parameters() {
        let bytes = packet(196_608, b"user\0app\0database\0shop\0\0");
        let Ok(Packet::Startup { parameters }) = Packet::parse(&bytes) else {
            panic!()
        };
        assert_eq!(parameters.get("user"), Some(b"app".as_slice()));
        assert_eq!(parameters.get("options"), None);
        assert!(!parameters.is_replication());
    }

    #[test]
    fn a_packet_that_is_cut_anywhere_is_never_another() {
        let whole = packet(196_608, b"user\0app\0database\0shop\0\0");
        for len in 0..whole.len() {
            let length = packet_length(&whole[..len]);
            assert_eq!(length, Ok((len >= 4).then_some(whole.len())), "{len}");
            assert!(Packet::parse(&whole[..len]).is_err(), "{len}");
        }
        assert!(Packet::parse(&whole).is_ok());
    }

    #[test]
    fn replication_is_recognised_in_every_spelling_postgresql_takes() {
        for (value, expected) in [
            ("database", true),
            ("true", true),
            ("1", true),
            ("on", true),
            ("off", false),
            ("no", false),
        ] {
            let bytes = packet(
                196_608,
                format!("user\0a\0replication\0{value}\0\0").as_bytes(),
            );
            let Ok(Packet::Startup { parameters }) = Packet::parse(&bytes) else {
                panic!()
            };
            assert_eq!(parameters.is_replication(), expected, "{value}");
        }
    }

    #[test]
    fn a_cancel_request_has_a_secret_of_4_to_256_bytes() {
        for (len, fine) in [(3, false), (4, true), (32, true), (256, true), (257, false)] {
            let mut rest = 7u32.to_be_bytes().to_vec();
            rest.extend(vec![9; len]);
            assert_eq!(
                Packet::parse(&packet(CANCEL_REQUEST, &rest)).is_ok(),
                fine,
                "{len}"
            );
        }
    }

    #[test]
    fn a_startup_message_with_bytes_after_its_end_is_malformed() {
        assert!(Packet::parse(&packet(196_608, b"user\0app\0\0extra")).is_err());
        assert!(Packet::parse(&packet(196_608, b"user\0app\0")).is_err());
        assert!(Packet::parse(&packet(SSL_REQUEST, b"x")).is_err());
    }

    #[test]
    fn protocol_2_is_refused_by_its_number() {
        assert_eq!(
            Packet::parse(&packet(131_072, b"")),
            Err(StartupError::Protocol { major: 2, minor: 0 })
        );
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = packet_length(&bytes);
            let _ = Packet::parse(&bytes);
        }
    }
}
