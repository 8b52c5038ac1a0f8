//! A conversation on its way: what was asked, what the database says to it, and what of that leaves.

use std::cell::Cell;
use std::collections::HashMap;

use control::{ByteSize, Live, OnRefused, ZoneMode};
use pgseal_server::fuzzing::{CHANNEL_BINDING, DATABASE_GONE, SHREDDED, VALUE};
use wire::Header;
use wire::description::Format;
use wire::originate::Refusal;

use crate::input::Input;
use crate::targets::content::{Content, ENCODINGS, Leaving, Text};

/// Rows over this length are too long in some sessions.
const SHORT: usize = 400;

pub struct Script {
    pub live: Live,
    pub asked: Vec<u8>,
    pub came: Vec<u8>,
    pub leaves: Vec<u8>,
    /// Rows of a COPY come in pieces.
    pub is_cut: bool,
    pub text: Text,
    is_replication: bool,
    /// Type of the last message that leaves.
    last: u8,
    /// A value was refused: what follows is dropped up to ReadyForQuery.
    dropping: bool,
    /// That was in a transaction block, which stands.
    block_stands: bool,
    /// The types of statements that were described.
    pub statements: HashMap<&'static str, Vec<u32>>,
    pub portals: HashMap<&'static str, Portal>,
}

/// What is known of rows.
#[derive(Clone, Default)]
pub struct Portal {
    pub types: Option<Vec<u32>>,
    pub formats: Vec<Format>,
}

/// What becomes of a row.
pub enum Fate {
    Same,
    Becomes(Vec<u8>),
    Refused(&'static Refusal<'static>),
}

impl Script {
    pub fn new(input: &mut Input<'_>) -> Self {
        let (told, _, text) = ENCODINGS[..10][input.below(10)];
        let mut script = Self {
            live: Live {
                zone_mode: *input.one_of(&[ZoneMode::Mixed, ZoneMode::Off, ZoneMode::On]),
                on_refused: *input.one_of(&[
                    OnRefused::Ciphertext,
                    OnRefused::Null,
                    OnRefused::Error,
                ]),
                ..Live::default()
            },
            asked: Vec::new(),
            came: Vec::new(),
            leaves: Vec::new(),
            is_cut: input.any(),
            text,
            is_replication: input.once_in(16),
            last: 0,
            dropping: false,
            block_stands: false,
            statements: HashMap::new(),
            portals: HashMap::new(),
        };
        if input.once_in(8) {
            script.live.max_open_row = ByteSize(SHORT);
            script.is_cut = false;
        }
        if input.once_in(8) {
            script.live.open_memory = ByteSize(0);
        }
        script.begin(told, input);
        for _ in 0..1 + input.below(4) {
            script.exchange(input);
        }
        if input.once_in(8) {
            script.pass(b'E', b"SFATAL\0VFATAL\0C57P01\0Mthe end\0\0");
        }
        script
    }

    /// The end of start-up.
    fn begin(&mut self, told: &str, input: &mut Input<'_>) {
        if input.any() {
            let with = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
            let without = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
            self.say(b'R', with, Some(without));
            if input.once_in(4) {
                let error = b"SFATAL\0VFATAL\0C28000\0Mno\0\0";
                self.say(b'E', error, Some(CHANNEL_BINDING.to_message().to_vec()));
            }
            self.pass(b'R', &[0; 4]);
        }
        self.pass(b'S', format!("client_encoding\0{told}\0").as_bytes());
        self.pass(b'K', b"\0\0\0\x07secret");
        self.pass(b'Z', b"I");
    }

    /// What the session begins with.
    pub fn startup(&self) -> &'static [u8] {
        match self.is_replication {
            true => b"\0\0\0\x21\0\x03\0\0user\0app\0replication\0on\0\0",
            false => b"\0\0\0\x12\0\x03\0\0user\0app\0\0",
        }
    }

    /// What the application hears at the end.
    pub fn farewell(&self) -> Vec<u8> {
        match self.last {
            b'E' => Vec::new(),
            _ => DATABASE_GONE.to_message().to_vec(),
        }
    }

    /// Nothing is left out, and nothing put in, whatever is refused.
    pub fn passes_all(&self) -> bool {
        self.live.on_refused == OnRefused::Ciphertext
    }

    /// Whether a row is as long as it is wherever it is cut: one without a value that is here whole
    /// passes, however long it is.
    pub fn is_open_however_cut(&self) -> bool {
        self.live
            == Live {
                zone_mode: self.live.zone_mode,
                on_refused: self.live.on_refused,
                ..Live::default()
            }
    }

    pub fn ask(&mut self, tag: u8, body: &[u8]) {
        self.asked.extend(message(tag, body));
    }

    /// A message that is none of ours.
    pub fn pass(&mut self, tag: u8, body: &[u8]) {
        self.say(tag, body, None);
    }

    fn say(&mut self, tag: u8, body: &[u8], becomes: Option<Vec<u8>>) {
        let came = message(tag, body);
        self.came.extend(&came);
        let is_fatal = tag == b'E' && body.windows(7).any(|it| it == b"VFATAL\0");
        let is_aside = b"NSA".contains(&tag);
        if !(self.dropping && !is_aside && !is_fatal) {
            self.leaves.extend(becomes.unwrap_or(came));
            self.last = tag;
        }
        if tag == b'E' && !self.dropping {
            self.block_stands = false;
        }
    }

    /// A COPY to the database begins. The application does not hear of one behind a refusal.
    pub fn copy_in(&mut self) {
        let came = message(b'G', &[0; 3]);
        self.came.extend(&came);
        if !self.dropping && !self.block_stands {
            self.leaves.extend(came);
            self.last = b'G';
        }
    }

    pub fn ready(&mut self, status: u8) {
        let dropped = std::mem::take(&mut self.dropping);
        self.came.extend(message(b'Z', &[status]));
        self.block_stands = (self.block_stands || dropped) && status == b'T';
        let shown = if self.block_stands { b'E' } else { status };
        self.leaves.extend(message(b'Z', &[shown]));
        self.last = b'Z';
        if status == b'I' {
            self.portals.clear();
        }
    }

    /// SQL has put something else behind names.
    pub fn redefined(&mut self) {
        self.statements.clear();
        for portal in self.portals.values_mut() {
            portal.types = None;
        }
    }

    /// A row, or a function's result, or a part of a COPY.
    pub fn row(&mut self, tag: u8, body: &[u8], fate: Fate) {
        let came = message(tag, body);
        self.came.extend(&came);
        if self.dropping {
            return;
        }
        self.last = tag;
        match fate {
            Fate::Same => self.leaves.extend(came),
            Fate::Becomes(body) => self.leaves.extend(message(tag, &body)),
            Fate::Refused(why) => {
                self.leaves.extend_from_slice(&why.to_message());
                self.dropping = true;
                self.last = b'D';
            }
        }
    }

    /// Bytes that are neither said in one go nor left so.
    pub fn raw(&mut self, came: &[u8], leaves: &[u8], refused: Option<&'static Refusal<'static>>) {
        self.came.extend(came);
        if self.dropping {
            return;
        }
        self.leaves.extend(leaves);
        self.last = b'd';
        if let Some(why) = refused {
            self.leaves.extend_from_slice(&why.to_message());
            self.dropping = true;
            self.last = b'D';
        }
    }

    /// Whether a message of so many bytes is too long to be looked into.
    pub fn is_too_long(&self, body: usize) -> bool {
        let total = body + Header::LEN;
        total > self.live.max_open_row.0 || total > 64 << 10 && self.live.open_memory.0 == 0
    }

    /// What becomes of a row that is.
    pub fn too_long(&self) -> Fate {
        match self.opens() && self.live.on_refused != OnRefused::Ciphertext {
            true => Fate::Refused(&VALUE),
            false => Fate::Same,
        }
    }

    pub fn opens(&self) -> bool {
        !self.is_replication
    }

    /// The fields of a row as they leave; nothing where it is refused.
    pub fn opened(
        &self,
        contents: &[Content],
        text: Text,
    ) -> Result<Vec<Option<Vec<u8>>>, &'static Refusal<'static>> {
        let refused = Cell::default();
        let on_refused = self.live.on_refused;
        let fields = contents.iter().map(|content| {
            let (before, _) = refused.get();
            let opened = content.opened(&Leaving {
                tag: None,
                zone_mode: self.live.zone_mode,
                text,
                refused: &refused,
            });
            match on_refused {
                OnRefused::Null if refused.get().0 > before => None,
                _ => opened,
            }
        });
        let fields = fields.collect();
        match refused.get() {
            (1.., _) if on_refused != OnRefused::Error => Ok(fields),
            (0, _) => Ok(fields),
            (all, for_ever) if all == for_ever => Err(&SHREDDED),
            _ => Err(&VALUE),
        }
    }
}

pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[tag], length.as_slice(), body].concat()
}
