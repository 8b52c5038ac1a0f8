//! Seals and opens envelopes for another program, line by line: what the cross-check of the Python
//! writer drives, and a way to try the format by hand. It is told private keys: for tests only.
//!
//! Reads one JSON object per line and answers each with one line, in order, at once. Bytes are in
//! hexadecimal; `kind` is `client` or `zone`.
//!
//! ```text
//! {"op":"seal","kind":…,"owner":…,"public_key":…,"plaintext":…}         → {"envelope":…}
//! {"op":"seal_batch","kind":…,"owner":…,"public_key":…,"plaintexts":[…]} → {"envelopes":[…]}
//! {"op":"open","kind":…,"owner":…,"private_key":…,"envelope":…}          → {"plaintext":…}
//! ```
//!
//! What fails is answered with `{"error":"…"}`, and the next line is read. It ends with its input.

use std::error::Error;
use std::io::{self, BufRead, Write};

use pgseal_envelope::{Envelope, Kind, Owner, PrivateKey, PublicKey, Recipient, open};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    kind: KindName,
    owner: String,
    #[serde(flatten)]
    operation: Operation,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Client,
    Zone,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Operation {
    Seal {
        public_key: Hex,
        plaintext: Hex,
    },
    SealBatch {
        public_key: Hex,
        plaintexts: Vec<Hex>,
    },
    Open {
        private_key: Hex,
        envelope: Hex,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Envelope(Hex),
    Envelopes(Vec<Hex>),
    Plaintext(Hex),
    Error(String),
}

fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| Answer::Error(error.to_string()));
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<Answer, Box<dyn Error>> {
    let request: Request = serde_json::from_str(line)?;
    let kind = match request.kind {
        KindName::Client => Kind::Client,
        KindName::Zone => Kind::Zone,
    };
    let owner = Owner::new(kind, &request.owner)?;
    match request.operation {
        Operation::Seal {
            public_key,
            plaintext,
        } => {
            let recipient = Recipient::new(owner, PublicKey::try_from(public_key.0.as_slice())?);
            Ok(Answer::Envelope(Hex(recipient.seal(&plaintext.0)?)))
        }
        Operation::SealBatch {
            public_key,
            plaintexts,
        } => {
            let recipient = Recipient::new(owner, PublicKey::try_from(public_key.0.as_slice())?);
            let mut batch = recipient.batch()?;
            let envelopes = plaintexts
                .iter()
                .map(|plaintext| batch.seal(&plaintext.0).map(Hex));
            Ok(Answer::Envelopes(envelopes.collect::<Result<_, _>>()?))
        }
        Operation::Open {
            private_key,
            envelope,
        } => {
            let private_key = <[u8; 32]>::try_from(private_key.0.as_slice())?;
            let found = Envelope::at_start(&envelope.0)
                .filter(|found| found.as_bytes() == envelope.0)
                .ok_or("not an envelope, or not only one")?;
            let plaintext = open(&found, &owner, &PrivateKey::from_bytes(private_key))?;
            Ok(Answer::Plaintext(Hex(plaintext.expose_secret().to_vec())))
        }
    }
}

/// Bytes, in hexadecimal where JSON has them.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok()))
            .collect();
        match digits {
            Some(digits) if digits.len() % 2 == 0 => Ok(Hex(digits
                .chunks_exact(2)
                .map(|pair| pair[0] << 4 | pair[1])
                .collect())),
            _ => Err("bytes are written as pairs of hexadecimal digits".into()),
        }
    }
}

impl From<Hex> for String {
    fn from(bytes: Hex) -> String {
        bytes.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
