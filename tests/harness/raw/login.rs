//! Logging in by hand: by password in clear, by MD5, by SCRAM-SHA-256 without channel binding.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

use super::message::{Message, password, tagged};
use super::{Ended, Session, Stream};

/// Codes of Authentication messages.
const CLEARTEXT: u32 = 3;
const MD5: u32 = 5;
const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;

impl<S: Stream> Session<S> {
    /// Sends a start-up message, answers what is asked, and reads up to ReadyForQuery or an error.
    /// What came before it broke off is in `heard` too.
    pub fn log_in(
        &mut self,
        startup: &[u8],
        user: &str,
        secret: &str,
        heard: &mut Vec<Message>,
    ) -> Result<(), Ended> {
        let mut scram = None;
        let mut answer = Some(startup.to_vec());
        loop {
            if let Some(bytes) = answer {
                self.try_send(bytes).map_err(|_| Ended::Closed)?;
            }
            let message = self.read()?;
            answer = match (message.tag, message.body.split_first_chunk()) {
                (b'R', Some((code, rest))) => {
                    authenticate(u32::from_be_bytes(*code), rest, user, secret, &mut scram)
                }
                _ => None,
            };
            let ended = matches!(message.tag, b'Z' | b'E');
            heard.push(message);
            if ended {
                return Ok(());
            }
        }
    }
}

/// The answer to a request for authentication, if there is one.
fn authenticate(
    code: u32,
    data: &[u8],
    user: &str,
    secret: &str,
    scram: &mut Option<ScramSha256>,
) -> Option<Vec<u8>> {
    match code {
        CLEARTEXT => Some(password(secret)),
        MD5 => {
            let salt = data.try_into().expect("a salt has four bytes");
            Some(password(&md5_hash(
                user.as_bytes(),
                secret.as_bytes(),
                salt,
            )))
        }
        SASL => {
            let binding = ChannelBinding::unsupported();
            let begun = scram.insert(ScramSha256::new(secret.as_bytes(), binding));
            let first = begun.message();
            let length = u32::try_from(first.len())
                .expect("it is short")
                .to_be_bytes();
            let body = [SCRAM_SHA_256.as_bytes(), &[0], &length, first].concat();
            Some(tagged(b'p', &body))
        }
        SASL_CONTINUE => {
            let begun = scram.as_mut().expect("SASL was begun");
            begun
                .update(data)
                .unwrap_or_else(|error| panic!("SCRAM: {error}"));
            Some(tagged(b'p', begun.message()))
        }
        SASL_FINAL => {
            let begun = scram.as_mut().expect("SASL was begun");
            begun
                .finish(data)
                .unwrap_or_else(|error| panic!("SCRAM: {error}"));
            None
        }
        _ => None,
    }
}
