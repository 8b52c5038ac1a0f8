//! Conversations at random, cut at random: refused, failing and other statements in batches of both
//! protocols, some of them with the data of a `COPY`, some sent while earlier ones are still on
//! their way.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use harness::raw::{Ended, Message, Session, Stream, message};
use harness::{Chain, PATIENCE, Random, rounds};

use super::{BAD, BAD_MANY, CLEAR, COPY, FAILS, GOOD, Stand, errors, hex, run, seen};

/// Conversations that are held at the same time.
const AT_ONCE: usize = 4;

/// A statement of a batch, or what stands between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Good,
    Bad,
    Sql(&'static str),
    /// SQL that fails, cannot even be parsed, or has values refused.
    Fails(&'static str),
    /// Ends or begins a block, or part of one.
    Control(&'static str),
    /// A `COPY` with its data, of which nothing is waited for.
    GoodCopy,
    /// One whose data is wrong.
    BadCopy,
    /// One that the application gives up.
    FailedCopy,
    /// `Flush`; nothing in a simple query.
    Flush,
}

use Part::{Bad, BadCopy, Control, FailedCopy, Fails, Flush, Good, GoodCopy, Sql};

/// What is drawn from, some of it more often.
const PARTS: &[Part] = &[
    Good,
    Good,
    Good,
    Bad,
    Bad,
    Bad,
    Fails(BAD_MANY),
    Fails(BAD_MANY),
    Sql("do $$ begin perform pg_sleep(0.01); end $$"),
    Sql("insert into made values (1)"),
    Sql("set search_path = public"),
    Fails(FAILS),
    Fails("nonsense"),
    Control("begin"),
    Control("begin"),
    Control("begin"),
    Control("commit"),
    Control("rollback"),
    Control("savepoint a"),
    Control("rollback to a"),
    GoodCopy,
    GoodCopy,
    BadCopy,
    FailedCopy,
    Flush,
    Flush,
];

impl Part {
    fn sql(self) -> Option<&'static str> {
        match self {
            Good => Some(GOOD),
            Bad => Some(BAD),
            Sql(sql) | Fails(sql) | Control(sql) => Some(sql),
            GoodCopy | BadCopy | FailedCopy => Some(COPY),
            Flush => None,
        }
    }

    /// What an application sends behind it.
    fn data(self) -> Vec<u8> {
        match self {
            GoodCopy => [message::copy_data(b"1\n"), message::copy_done()].concat(),
            BadCopy => [message::copy_data(b"x\n"), message::copy_done()].concat(),
            FailedCopy => [message::copy_data(b"1\n"), message::copy_fail("no")].concat(),
            _ => Vec::new(),
        }
    }

    fn fails(self) -> bool {
        matches!(self, Bad | Fails(_) | BadCopy | FailedCopy)
    }
}

/// What gets one `ReadyForQuery`.
#[derive(Debug)]
struct Batch {
    extended: bool,
    /// Portals are described, in the extended protocol.
    described: bool,
    parts: Vec<Part>,
}

impl Batch {
    fn draw(random: &mut Random) -> Self {
        let count = 1 + random.below(4);
        Self {
            extended: random.below(2) == 0,
            described: random.below(2) == 0,
            parts: (0..count)
                .map(|_| PARTS[random.below(PARTS.len())])
                .collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        if self.extended {
            let parts = self.parts.iter().flat_map(|part| {
                let asks = part.sql().map_or_else(message::flush, |sql| self.asks(sql));
                [asks, part.data()]
            });
            return parts.chain([message::sync()]).flatten().collect();
        }
        let sql: Vec<&str> = self.parts.iter().filter_map(|part| part.sql()).collect();
        let data = self.parts.iter().flat_map(|part| part.data());
        message::query(&sql.join("; "))
            .into_iter()
            .chain(data)
            .collect()
    }

    fn asks(&self, sql: &str) -> Vec<u8> {
        if !self.described {
            return run(sql);
        }
        [
            message::parse("", sql),
            message::bind("", "", &[], 0),
            message::describe_portal(""),
            message::execute("", 0),
        ]
        .concat()
    }

    /// What is wrong with an answer to it; `before` is the status that the one before it left.
    fn fault(&self, before: u8, answer: &[Message]) -> Option<&'static str> {
        let after = answer.last()?.body[0];
        let errors = errors(answer);
        let (fails, controls) = (
            self.parts.iter().any(|part| part.fails()),
            self.parts.iter().any(|part| matches!(part, Control(_))),
        );
        let rows: Vec<_> = answer
            .iter()
            .filter(|message| message.tag == b'D')
            .collect();
        let clear = format!(r"\x{}", hex(CLEAR)).into_bytes();
        if errors.len() > 1 {
            Some("more than one error")
        } else if errors.is_empty() && fails {
            Some("no error")
        } else if rows.iter().any(|row| row.row() != [Some(clear.clone())]) {
            Some("a row that was not opened")
        } else if controls {
            None
        } else if before == b'E' || fails {
            let expected = if before == b'I' { b'I' } else { b'E' };
            (after != expected).then_some("the wrong status after an error")
        } else {
            let good = self.parts.iter().filter(|part| **part == Good).count();
            (!errors.is_empty() || after != before || rows.len() != good)
                .then_some("an error, or another answer than before any refusal")
        }
    }
}

/// How long the application waits between two pieces of what it sends.
#[derive(Clone, Copy, Debug)]
enum Wait {
    No,
    /// Until nothing has come for so long.
    Quiet(Duration),
    /// Until every batch that was sent to its end is answered.
    Answered,
}

/// A conversation, its bytes, and where they are cut.
#[derive(Debug)]
struct Conversation {
    batches: Vec<Batch>,
    cuts: Vec<(usize, Wait)>,
}

impl Conversation {
    fn draw(random: &mut Random) -> Self {
        let batches: Vec<Batch> = (0..1 + random.below(7))
            .map(|_| Batch::draw(random))
            .collect();
        let length = batches.iter().map(|batch| batch.bytes().len()).sum();
        let ends = boundaries(&batches);
        let cut = |random: &mut Random| {
            let at = match random.below(3) {
                0 => 1 + random.below(length),
                // At the end of a message, or a byte beside it.
                _ => ends[random.below(ends.len())] + random.below(3) - 1,
            };
            let wait = match random.below(3) {
                0 => Wait::No,
                1 => Wait::Quiet(Duration::from_millis(1 << random.below(5))),
                _ => Wait::Answered,
            };
            (at.min(length), wait)
        };
        let mut cuts: Vec<_> = (0..random.below(8)).map(|_| cut(random)).collect();
        cuts.push((length, Wait::Answered));
        cuts.sort_by_key(|(at, _)| *at);
        Self { batches, cuts }
    }

    /// Holds it in a session, and looks at every answer.
    fn hold(&self, session: Session) {
        let bytes: Vec<u8> = self.batches.iter().flat_map(Batch::bytes).collect();
        let mut ends = self.batches.iter().scan(0, |end, batch| {
            *end += batch.bytes().len();
            Some(*end)
        });
        let ends: Vec<usize> = ends.by_ref().collect();
        let mut talk = Talk::begin(session);
        let mut sent = 0;
        for (at, wait) in &self.cuts {
            talk.session.send(&bytes[sent..*at]);
            sent = *at;
            match wait {
                Wait::No => {}
                Wait::Quiet(time) => while talk.hear(*time, self) {},
                Wait::Answered => {
                    let whole = ends.iter().filter(|end| **end <= sent).count();
                    talk.hear_answers(whole, self);
                }
            }
        }
        let answers = talk.answers(self.batches.len(), self);
        let mut before = b'I';
        for (batch, answer) in self.batches.iter().zip(&answers) {
            if let Some(fault) = batch.fault(before, answer) {
                panic!("{fault}: {} to {batch:?} in {self:?}", seen(answer));
            }
            before = answer.last().map_or(b'I', |ready| ready.body[0]);
        }
        talk.goes_on_well(self);
    }
}

/// Where the messages of batches end.
fn boundaries(batches: &[Batch]) -> Vec<usize> {
    let bytes: Vec<u8> = batches.iter().flat_map(Batch::bytes).collect();
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(length) = bytes[at..].get(1..5) {
        let length: [u8; 4] = length.try_into().expect("four bytes");
        at += 1 + usize::try_from(u32::from_be_bytes(length)).expect("a short message");
        ends.push(at);
    }
    ends
}

/// A session whose answers are read as they come, whatever is being sent.
struct Talk {
    session: Session,
    answers: Receiver<Result<Message, Ended>>,
    heard: Vec<Message>,
}

impl Talk {
    fn begin(session: Session) -> Self {
        let mut reading = Session::over(session.stream().tcp().try_clone().unwrap());
        let (heard, answers) = channel();
        thread::spawn(move || {
            loop {
                let message = reading.read();
                let ended = message.is_err();
                if heard.send(message).is_err() || ended {
                    return;
                }
            }
        });
        Self {
            session,
            answers,
            heard: Vec::new(),
        }
    }

    /// Hears the next message, if one comes within this time.
    fn hear(&mut self, within: Duration, conversation: &Conversation) -> bool {
        match self.answers.recv_timeout(within) {
            Ok(Ok(message)) => self.heard.push(message),
            Ok(Err(ended)) => panic!("{ended:?} after {}: {conversation:?}", seen(&self.heard)),
            Err(_) => return false,
        }
        true
    }

    /// Waits until so many batches are answered.
    fn hear_answers(&mut self, count: usize, conversation: &Conversation) {
        let end = Instant::now() + PATIENCE;
        while self
            .heard
            .iter()
            .filter(|message| message.tag == b'Z')
            .count()
            < count
        {
            let left = end.saturating_duration_since(Instant::now());
            if !self.hear(left, conversation) {
                panic!(
                    "{count} answers did not come, only {}: {conversation:?}",
                    seen(&self.heard)
                );
            }
        }
    }

    /// Everything heard up to now, which is so many answers.
    fn answers(&mut self, count: usize, conversation: &Conversation) -> Vec<Vec<Message>> {
        self.hear_answers(count, conversation);
        let heard = std::mem::take(&mut self.heard);
        let answers: Vec<_> = heard
            .split_inclusive(|message| message.tag == b'Z')
            .map(<[Message]>::to_vec)
            .collect();
        assert_eq!(answers.len(), count, "{}: {conversation:?}", seen(&heard));
        answers
    }

    /// Nothing is left of what was said: a block still fails for a refusal, and ends.
    fn goes_on_well(mut self, conversation: &Conversation) {
        self.session.send(message::query("rollback"));
        let answers = self.answers(1, conversation);
        let status = answers[0].last().map(|ready| ready.body[0]);
        assert_eq!(
            status,
            Some(b'I'),
            "{}: {conversation:?}",
            seen(&answers[0])
        );
        for (sql, expected) in [
            ("select 1", "T D C ZI"),
            ("begin", "C ZT"),
            (BAD, "T E42501 ZE"),
            ("select 1", "E25P02 ZE"),
            ("rollback", "C ZI"),
            (GOOD, "T D C ZI"),
        ] {
            self.session.send(message::query(sql));
            let answers = self.answers(1, conversation);
            assert_eq!(seen(&answers[0]), expected, "{sql} after {conversation:?}");
        }
        self.session.send(message::terminate());
    }
}

#[test]
fn random_conversations_with_refusals_never_hang_and_always_add_up() {
    // In one of them, what comes from the database comes in small pieces.
    let stands = [Stand::start(), Stand::with(&Chain::builder().tapped())];
    let tap = stands[1].link.database_tap.as_ref().unwrap();
    tap.in_pieces(100);
    let mut random = Random::new();
    let conversations: Vec<_> = (0..rounds(400))
        .map(|_| Conversation::draw(&mut random))
        .collect();
    thread::scope(|scope| {
        let parts = conversations.chunks(conversations.len().div_ceil(AT_ONCE));
        for (some, stand) in parts.zip(stands.iter().cycle()) {
            scope.spawn(move || {
                for conversation in some {
                    conversation.hold(stand.session());
                }
            });
        }
    });
}
