//! What is heard in a conversation, without what differs between any two sessions.

use harness::raw::{Message, tags};

/// Takes out what differs between two sessions with the same database, whatever is in between:
/// cancel keys, who notified, what is random in logging in, and how much of the WAL comes before
/// the application has enough of it. The lengths of keys and salts stay.
pub fn normalise(heard: &mut Vec<Message>) {
    for message in heard.iter_mut() {
        match message.tag {
            b'K' => message.body.fill(0),
            // The process id.
            b'A' => message.body.iter_mut().take(4).for_each(|byte| *byte = 0),
            b'R' => without_randomness(&mut message.body),
            _ => {}
        }
    }
    if heard.iter().any(|message| message.tag == b'W') {
        heard.retain(|message| message.tag != b'd');
    }
}

/// The salt of MD5; of SCRAM the nonce and the server's signature, of which the nonce is a part. Of
/// SCRAM's first answer, `r=nonce,s=salt,i=iterations`, the rest stays.
fn without_randomness(body: &mut Vec<u8>) {
    const MD5: u8 = 5;
    const SASL_CONTINUE: u8 = 11;
    const SASL_FINAL: u8 = 12;
    let Some(([0, 0, 0, code], data)) = body.split_first_chunk_mut() else {
        return;
    };
    match *code {
        MD5 | SASL_FINAL => data.fill(0),
        SASL_CONTINUE => {
            let nonce = data.iter().take_while(|byte| **byte != b',').count();
            body.drain(4..4 + nonce);
        }
        _ => {}
    }
}

/// The types of what came after the start-up.
pub fn types(heard: &[Message]) -> String {
    let started = heard.iter().position(|message| message.tag == b'Z');
    tags(&heard[started.map_or(0, |at| at + 1)..])
}
