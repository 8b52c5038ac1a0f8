//! `POST /v1/why`: why a value opens for a client or does not, by the steps that the opener takes; and
//! what a session has had opened. What is in a value is wiped, and told to nobody.

mod told;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use control::{EnvelopeAnswer, MAX_WHY, Step, ValueAnswer, Why, WhyAnswer, WhyValue, ZoneMode};
use envelope::{Candidate, ClientId, Form, KeyId, Owner, Verdict, ZoneId};
use keystore::{KeyRecord, OpenKey};
use tunnel::Identity;
use wire::bytea::TextForm;

use self::told::{Steps, list, of_mode};
use super::admin::OnBehalfOf;
use super::{Problem, admin, parse};
use crate::metrics::Reason;
use crate::opener::steps::{self, Looked};
use crate::opener::{Fetched, Policy};
use crate::shared::Shared;

/// Envelopes that are told of in one answer: each may take a private-key operation.
const MAX_ENVELOPES: usize = 64;

/// How text armor begins.
const ARMOR: &str = "pgs1.";

/// Answers an admin. Nothing of it is counted as opened.
pub async fn why(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    Extension(OnBehalfOf(user)): Extension<OnBehalfOf>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<WhyAnswer>, Problem> {
    admin(&identity, &shared, "asks why values open")?;
    let user = user.map(|user| format!(" for {user}")).unwrap_or_default();
    let by = identity.id + &user;
    let answer = match parse(body)? {
        Why::Session(number) => {
            let session = shared.access.session(number);
            let gone = || format!("session {number} does not run here, or not any more");
            let session = session.ok_or_else(|| Problem(StatusCode::NOT_FOUND, gone()))?;
            tracing::info!(
                by,
                session = number,
                "it was asked what a session has had opened"
            );
            WhyAnswer::Session(session)
        }
        Why::Value(asked) => {
            let question = Question::read(&asked)?;
            let answer = question.answer(&shared).await;
            let values = answer.envelopes.len();
            tracing::info!(by, values, "it was asked why values open");
            WhyAnswer::Value(answer)
        }
    };
    Ok(Json(answer))
}

/// A value, and how it is read.
struct Question {
    bytes: Vec<u8>,
    /// How envelopes stand in it.
    form: Form,
    client: Option<ClientId>,
    /// What stands in an earlier field of its row.
    zone: Option<ZoneId>,
}

/// What is known of the keys that a value names, and the settings of the moment.
struct Known {
    fetched: Fetched,
    records: HashMap<KeyId, KeyRecord>,
    policy: Policy,
}

impl Question {
    fn read(asked: &WhyValue) -> Result<Self, Problem> {
        let wrong = |why: String| Problem(StatusCode::UNPROCESSABLE_ENTITY, why);
        // Nothing is called the empty text: a form's field that was left empty.
        let named = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
        let client = named(&asked.client).map(|id| id.parse::<ClientId>());
        let zone = named(&asked.zone).map(|id| id.parse::<ZoneId>());
        let (bytes, form) = value(&asked.hex).map_err(wrong)?;
        Ok(Self {
            bytes,
            form,
            client: client
                .transpose()
                .map_err(|error| wrong(format!("client: {error}")))?,
            zone: zone
                .transpose()
                .map_err(|error| wrong(format!("zone: {error}")))?,
        })
    }

    async fn answer(&self, shared: &Shared) -> ValueAnswer {
        let mut ids: Vec<KeyId> = Vec::new();
        envelope::open_field(&self.bytes, self.form, |candidate| {
            if ids.len() < MAX_ENVELOPES {
                ids.push(candidate.envelope.key_id());
            }
            Verdict::Refused
        });
        let mut known = Known {
            fetched: Fetched::default(),
            records: records(shared, ids.clone()).await,
            policy: **shared.policy.load(),
        };
        if !ids.is_empty() {
            shared.keys.fetch(ids, &mut known.fetched).await;
        }
        // Private-key operations hold up no session.
        let (envelopes, untold) = tokio::task::block_in_place(|| self.walk(&known));
        ValueAnswer {
            server: shared.id.clone(),
            zone_mode: known.policy.zone_mode,
            on_refused: known.policy.on_refused,
            problem: envelopes.is_empty().then(|| self.without_envelope()),
            envelopes,
            untold,
        }
    }

    /// Goes over the value as the opener goes over a field, and changes nothing.
    fn walk(&self, known: &Known) -> (Vec<EnvelopeAnswer>, u64) {
        let (mut told, mut untold) = (Vec::new(), 0);
        envelope::open_field(&self.bytes, self.form, |candidate| {
            match told.len() < MAX_ENVELOPES {
                true => told.push(self.judge(&candidate, known)),
                false => untold += 1,
            }
            Verdict::Refused
        });
        (told, untold)
    }

    fn judge(&self, candidate: &Candidate<'_>, known: &Known) -> EnvelopeAnswer {
        let envelope = &candidate.envelope;
        let id = envelope.key_id();
        let key = steps::schedule_id(envelope)
            .and_then(|_| known.fetched.keys.get(&id).ok_or(known.fetched.missing()));
        let mut steps = Steps::default();
        let opens = match key {
            Ok(key) => self.judge_key(candidate, key, known, &mut steps),
            Err(reason) => {
                steps.add(Step::Key, Some(false), match reason {
                    Reason::Unsupported => format!(
                        "It is of suite {} with flags {}, which this version does not know.",
                        envelope.suite(),
                        envelope.flags()
                    ),
                    Reason::StoreSilent => {
                        format!("Key {id} is not in memory, and the store does not answer.")
                    }
                    _ => format!(
                        "The store has no usable key {id}: it is of another store, or the value was altered."
                    ),
                });
                Err(Some(reason))
            }
        };
        let key = key.ok();
        let reason = opens.err().flatten();
        EnvelopeAnswer {
            at: candidate.place.start as u64,
            length: candidate.place.len() as u64,
            key_id: id.to_string(),
            owner: key.map(|key| format!("{}/{}", key.owner.kind(), key.owner.id())),
            version: key.map(|key| key.version),
            state: known.records.get(&id).map(|it| it.state.to_string()),
            opens: match opens {
                Ok(()) => Some(true),
                Err(Some(_)) => Some(false),
                Err(None) => None,
            },
            reason: reason.map(|reason| reason.name().to_owned()),
            steps: steps.finish(),
        }
    }

    /// What of a value whose key is known. `Err(None)` where a client would have to be named.
    fn judge_key(
        &self,
        candidate: &Candidate<'_>,
        key: &OpenKey,
        known: &Known,
        steps: &mut Steps,
    ) -> Result<(), Option<Reason>> {
        let id = candidate.envelope.key_id();
        let state = match known.records.get(&id) {
            Some(record) => format!(", which is {}", record.state),
            None => String::new(),
        };
        steps.add(
            Step::Key,
            Some(true),
            format!(
                "It is sealed to {} {}, to version {} of its key{state}.",
                key.owner.kind(),
                key.owner.id(),
                key.version
            ),
        );
        let mode = known.policy.zone_mode;
        let own = match &key.owner {
            Owner::Client(client) => Some(client),
            Owner::Zone(_) => None,
        };
        let Some(client) = self.client.as_ref().or(own) else {
            let mode_opens = steps::mode_opens(mode, key.owner.kind());
            steps.add(Step::ZoneMode, Some(mode_opens), of_mode(mode, mode_opens));
            let clients = list(&key.clients);
            let says = format!("Name the client that reads it. The zone opens for {clients}.");
            steps.add(Step::Permission, None, says);
            return Err((!mode_opens).then_some(Reason::ZoneMode));
        };
        let in_field = |zone: &ZoneId| candidate.tagged_in_field(zone);
        let looked = steps::look(key, client, mode, |zone| {
            in_field(zone) || self.zone.as_ref() == Some(zone)
        });
        self.tell(&looked, key, client, mode, steps);
        let allowed = looked.allowed().map_err(Some)?;
        // What it opens to is wiped here.
        let opened = envelope::open(&candidate.envelope, &key.owner, allowed.private);
        let says = match opened {
            Ok(_) => "It is authentic, and opens.",
            Err(_) => "It is not authentic: it was altered, or sealed wrong.",
        };
        steps.add(Step::Authentic, Some(opened.is_ok()), says.into());
        opened.map(drop).map_err(|_| Some(Reason::NotAuthentic))
    }

    /// Tells of the steps between the key and its use.
    fn tell(
        &self,
        looked: &Looked<'_>,
        key: &OpenKey,
        client: &ClientId,
        mode: ZoneMode,
        steps: &mut Steps,
    ) {
        let mode_opens = looked.mode_opens();
        steps.add(Step::ZoneMode, Some(mode_opens), of_mode(mode, mode_opens));
        let refused = looked.without_mode();
        let permitted = refused != Some(Reason::NotPermitted);
        let says = match (&key.owner, permitted) {
            (_, true) => format!("Client {client} may open it."),
            (Owner::Client(own), false) => format!("It is client {own}'s, and not {client}'s."),
            (Owner::Zone(zone), false) => format!(
                "Client {client} is not on the list of zone {zone}, which opens for {}.",
                list(&key.clients)
            ),
        };
        steps.add(Step::Permission, Some(permitted), says);
        if !permitted {
            return;
        }
        let tagged = refused != Some(Reason::NotTagged);
        let says = match (&key.owner, tagged, &self.zone) {
            (Owner::Client(_), _, _) => "A client's value needs none.".into(),
            (Owner::Zone(zone), true, _) => format!("The zone's tag, {zone}, stands before it."),
            (Owner::Zone(zone), false, None) => format!(
                "The zone's tag, {zone}, does not stand before it in its field. Say what stands in \
                 an earlier field of its row."
            ),
            (Owner::Zone(zone), false, Some(found)) => format!(
                "The zone's tag, {zone}, does not stand before it: what stands there is {found}."
            ),
        };
        steps.add(Step::Tag, Some(tagged), says);
        if !tagged {
            return;
        }
        let says = match refused {
            Some(Reason::Retired) => "The key is retired. It can be restored.",
            Some(Reason::Destroying) => "The zone is to be destroyed. Until then it can be kept.",
            Some(Reason::Shredded) => {
                "The key was destroyed: what was sealed to it never opens again."
            }
            _ => "The key is in use.",
        };
        steps.add(Step::Usable, Some(refused.is_none()), says.into());
    }

    fn without_envelope(&self) -> String {
        let start = match self.form {
            Form::Bytes => crate::field::IN_BINARY,
            Form::Text => ARMOR.as_bytes(),
        };
        match memchr::memmem::find(&self.bytes, start) {
            Some(at) => format!(
                "An envelope begins at byte {at} and does not end: the value was cut off, or altered."
            ),
            None => "There is no envelope in it: it passes as it is.".into(),
        }
    }
}

/// The keys as the store lists them; those that it cannot tell of now are left out.
async fn records(shared: &Shared, ids: Vec<KeyId>) -> HashMap<KeyId, KeyRecord> {
    let asked = shared.keys.ask_promptly(move |store| {
        let read = |id: KeyId| Some((id, store.key_by_id(id).ok()??));
        Ok(ids.into_iter().filter_map(read).collect())
    });
    asked.await.unwrap_or_default()
}

/// A value as `psql` shows it: text with armor in it, or hex.
fn value(shown: &str) -> Result<(Vec<u8>, Form), String> {
    if !shown.contains(ARMOR) {
        return Ok((bytes(shown)?, Form::Bytes));
    }
    match shown.len() <= MAX_WHY {
        true => Ok((shown.as_bytes().to_vec(), Form::Text)),
        false => Err(format!(
            "hex: text of at most {MAX_WHY} bytes; the armor alone will do"
        )),
    }
}

/// Bytes in hex, with `\x` before it or without.
fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let mut text: Vec<u8> = hex
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    text.make_ascii_lowercase();
    if !text.starts_with(b"\\x") {
        text.splice(0..0, *b"\\x");
    }
    match TextForm::Hex.decode(&text) {
        Some(bytes) if bytes.is_empty() => Err("hex: it is empty".into()),
        Some(bytes) if bytes.len() > MAX_WHY => Err(format!(
            "hex: at most {MAX_WHY} bytes; the envelope alone will do"
        )),
        Some(bytes) => Ok(bytes),
        None => Err("hex: these are not pairs of the digits 0 to 9 and a to f".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_as_psql_shows_it_and_as_others_do() {
        for hex in ["\\xf50a", "F50A", " f5\n 0a ", "\\xF50a\n"] {
            assert_eq!(bytes(hex), Ok(vec![0xf5, 0x0a]), "{hex}");
        }
        for hex in [
            "", "\\x", "  ", "f", "f50", "0xf5", "fg", "\u{ff10}", "\\\\xf5",
        ] {
            assert!(bytes(hex).is_err(), "{hex}");
        }
        assert_eq!(value("\\xf50A"), Ok((vec![0xf5, 0x0a], Form::Bytes)));
        let armored = "[tenant-1]pgs1.9XBn";
        assert_eq!(value(armored), Ok((armored.into(), Form::Text)));
        assert!(value(&"pgs1.".repeat(MAX_WHY)).is_err());
        assert!(bytes(&"ab".repeat(MAX_WHY)).is_ok());
        assert!(bytes(&"ab".repeat(MAX_WHY + 1)).is_err());
    }
}
