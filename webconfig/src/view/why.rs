//! Why: what a server says of a value, or of a session.

use askama::Template;
use control::{EnvelopeAnswer, OnRefused, OwnerAccess, SessionAccess, StepAnswer, ValueAnswer};

use super::Frame;
use super::words::{count, number};

/// The page.
#[derive(Template)]
#[template(path = "why.html")]
pub struct WhyPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The servers that can be asked.
    pub servers: Vec<String>,
    /// What was asked.
    pub asked: Asked,
    /// What was answered, if anything was asked.
    pub answer: Option<Answer>,
}

/// What the forms begin with: what was asked before.
#[derive(Default)]
pub struct Asked {
    pub server: String,
    pub hex: String,
    pub client: String,
    pub zone: String,
}

/// What was answered.
pub enum Answer {
    /// Of a value.
    Value(Value),
    /// Of a session.
    Session(Session),
    /// The sessions that can be asked about, on a server.
    Sessions(Vec<Session>),
    /// Nothing: why not.
    Problem(String),
}

/// A value.
pub struct Value {
    /// Under which settings it was judged.
    pub under: String,
    pub envelopes: Vec<Envelope>,
    /// Why there is none.
    pub problem: Option<String>,
    /// How many more there are.
    pub more: Option<String>,
}

/// An envelope.
pub struct Envelope {
    /// Whether it opens, as the name of a colour,
    pub kind: &'static str,
    /// and in words.
    pub word: &'static str,
    /// The first step that does not hold.
    pub because: Option<String>,
    pub place: String,
    pub owner: String,
    pub key: String,
    pub steps: Vec<Step>,
}

/// A step.
pub struct Step {
    pub name: &'static str,
    /// Whether it holds, as the name of a colour; none where it was not looked at.
    pub kind: &'static str,
    /// The same in a word.
    pub word: &'static str,
    pub says: String,
}

/// A session.
pub struct Session {
    pub number: u64,
    pub client: String,
    pub process: String,
    pub began: String,
    pub opened: String,
    pub refused: String,
    pub owners: Vec<Owner>,
}

/// What a session had of one owner.
pub struct Owner {
    pub name: String,
    pub opened: String,
    /// Each reason, in words, and how many values.
    pub refused: Vec<(String, String)>,
    pub last: String,
}

impl Value {
    /// As a server answered.
    pub fn new(answer: ValueAnswer) -> Self {
        let more = usize::try_from(answer.untold).unwrap_or(usize::MAX);
        Self {
            under: format!(
                "As server {} has it now: zone mode is {}, and a refused value {}.",
                answer.server,
                answer.zone_mode,
                match answer.on_refused {
                    OnRefused::Ciphertext => "is returned as it is stored",
                    OnRefused::Null => "is returned as NULL",
                    OnRefused::Error => "fails its query",
                }
            ),
            envelopes: answer.envelopes.into_iter().map(envelope).collect(),
            problem: answer.problem,
            more: (more > 0)
                .then(|| format!("{} not told of.", count(more, "more is", "more are"))),
        }
    }
}

fn envelope(answer: EnvelopeAnswer) -> Envelope {
    let (kind, word) = match answer.opens {
        Some(true) => ("good", "opens"),
        Some(false) => ("bad", "stays sealed"),
        None => ("warn", "depends on the client"),
    };
    let failed = answer.steps.iter().find(|it| it.holds == Some(false));
    Envelope {
        kind,
        word,
        because: failed.map(|it| it.says.clone()),
        place: format!("{} bytes from byte {} on", answer.length, answer.at),
        owner: answer.owner.unwrap_or_else(|| "not known".into()),
        key: match (answer.version, answer.state) {
            (Some(version), Some(state)) => {
                format!("{}, version {version}, {state}", answer.key_id)
            }
            (Some(version), None) => format!("{}, version {version}", answer.key_id),
            (None, _) => answer.key_id,
        },
        steps: answer.steps.into_iter().map(step).collect(),
    }
}

fn step(answer: StepAnswer) -> Step {
    let (kind, word) = match answer.holds {
        Some(true) => ("good", "yes"),
        Some(false) => ("bad", "no"),
        None => ("", "–"),
    };
    Step {
        name: answer.step.name(),
        kind,
        word,
        says: answer.says,
    }
}

impl Session {
    /// As a server answered.
    pub fn new(access: SessionAccess) -> Self {
        let opened = access.owners.iter().map(|it| it.opened).sum();
        let refused = access
            .owners
            .iter()
            .flat_map(|it| it.refused.values())
            .sum();
        Self {
            number: access.session,
            client: access.client,
            process: access
                .process
                .map_or_else(|| "–".into(), |it| it.to_string()),
            began: access.began,
            opened: number(opened),
            refused: number(refused),
            owners: access.owners.into_iter().map(owner).collect(),
        }
    }
}

fn owner(access: OwnerAccess) -> Owner {
    let refused = access.refused.iter();
    Owner {
        name: access
            .owner
            .unwrap_or_else(|| "nobody that is known".into()),
        opened: number(access.opened),
        refused: refused
            .map(|(reason, count)| (in_words(reason).to_owned(), number(*count)))
            .collect(),
        last: access.last,
    }
}

/// Why values were refused, as the metrics name it, in words.
fn in_words(reason: &str) -> &str {
    match reason {
        "unsupported" => "of a version that the server does not know",
        "unknown_key" => "sealed to a key that the store does not have",
        "store_silent" => "the store did not answer",
        "zone_mode" => "zone mode does not open this kind",
        "not_permitted" => "the client may not open for the owner",
        "not_tagged" => "the zone's tag did not stand before it",
        "retired" => "the key is retired",
        "destroying" => "the zone is to be destroyed",
        "shredded" => "the key was destroyed",
        "not_authentic" => "altered, or sealed wrong",
        "not_text" => "it opens to no text, and stands in text",
        "untried" => "too many of its row were not authentic",
        "row_too_long" => "the row was longer than max_open_row",
        "copy_unread" => "it came by a COPY whose statement could not be read",
        other => other,
    }
}
