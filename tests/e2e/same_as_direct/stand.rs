//! A database and the chain before it, with a tap on every stretch of the way.

use std::thread;

use harness::raw::{Ended, Message, Session, Stream, message};
use harness::{Address, Chain, Direction, Keys, Link, PATIENCE, Random, Release, Settings, Tap};

use super::conversations::logins::{PASSWORD, USERS};
use super::conversations::{Conversation, Size, Turn};
use super::listen::normalise;

/// What the conversations speak of. There is a database where the values of column `s` are in
/// clear, and a copy of it where they are sealed, so that all object ids are the same.
const TABLES: &str = "
    create table rows (id int, x text, b bytea, s bytea);
    insert into rows select i, 'text ' || i, decode(lpad(i::text, 2, '0'), 'hex'),
        convert_to('value ' || i, 'utf8') from generate_series(1, 9) i;
    create table target (id int, x text);
    create function noisy(i int) returns int language plpgsql as
        $$ begin raise notice 'row %', i; return i; end $$;
";
const CLEAR: &str = "clear";
const SEALED: &str = "sealed";

/// How a conversation gets to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As a driver does it: it waits for answers.
    InTurns,
    /// Everything in one write.
    AtOnce,
    /// Everything in packets of one byte, both ways.
    Trickling,
    /// Everything cut and joined at random, both ways.
    AtRandom,
    /// In turns, and the stream of one direction cut in two: what receives it reads the first so
    /// many bytes of it before there are more.
    Cut(Direction, usize),
}

/// What is taken down of a session is complete up to where it broke off.
type Heard = Vec<Message>;

pub struct Stand {
    link: Link,
    front: Tap,
    version: String,
    wal: String,
    _keys: Keys,
}

impl Stand {
    pub fn start(release: Release) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let access = "host replication postgres 127.0.0.1/32 trust";
        let settings = Settings::new().release(release).access(access);
        let settings = USERS.iter().fold(settings, |settings, (user, auth)| {
            settings.user(user, PASSWORD, *auth)
        });
        let link = Chain::builder()
            .settings(settings)
            .tapped()
            .start_link(&keys);
        let front = Tap::to(link.address().port());
        let wal = link.database.wal_end();
        link.database.query(&format!("create database {CLEAR}"));
        let direct = link.database.address();
        run(direct, CLEAR, TABLES);
        let copy = format!("create database {SEALED} template {CLEAR}");
        link.database.query(&copy);
        let app = keys.client("app");
        for id in 1..=9 {
            let sealed = app.seal(format!("value {id}").as_bytes()).unwrap();
            let value = message::literal(&sealed);
            let update = format!("update rows set s = {value} where id = {id}");
            run(direct, SEALED, &update);
        }
        let version = link.database.value("show server_version");
        Self {
            link,
            front,
            version,
            wal,
            _keys: keys,
        }
    }

    /// Such as `18.4`.
    pub fn version(&self) -> String {
        let number = self.version.split_whitespace().next();
        number.unwrap_or_default().to_owned()
    }

    /// A place in the write-ahead log behind which there is more.
    pub fn wal(&self) -> &str {
        &self.wal
    }

    /// How many bytes have come so far to the tap that cuts this direction.
    pub fn passed(&self, direction: Direction) -> usize {
        self.cutter(direction).count(direction)
    }

    /// Holds a conversation with the database, without the chain.
    pub fn hold_directly(&self, conversation: &Conversation) -> Heard {
        let mut heard = in_turns(self.link.database.address(), CLEAR, conversation);
        normalise(&mut heard);
        heard
    }

    /// Holds a conversation through the chain.
    pub fn hold(&self, conversation: &Conversation, pace: Pace, random: &mut Random) -> Heard {
        let taps = self.taps();
        match pace {
            Pace::InTurns | Pace::AtOnce => {}
            Pace::Trickling => taps.iter().for_each(|tap| tap.in_pieces(1)),
            Pace::AtRandom => taps.iter().for_each(|tap| tap.at_random(random.fork())),
            Pace::Cut(direction, at) => self.cutter(direction).split_at(direction, at),
        }
        let way = self.front.address();
        let mut heard = match pace {
            Pace::InTurns | Pace::Cut(..) => in_turns(way, SEALED, conversation),
            Pace::AtOnce | Pace::Trickling | Pace::AtRandom => at_once(way, conversation),
        };
        taps.iter().for_each(|tap| tap.flow());
        normalise(&mut heard);
        heard
    }

    fn taps(&self) -> [&Tap; 3] {
        let [tunnel, database] =
            [&self.link.tunnel_tap, &self.link.database_tap].map(|tap| tap.as_ref().unwrap());
        [&self.front, tunnel, database]
    }

    /// The tap before the program that reads this direction's messages first.
    fn cutter(&self, direction: Direction) -> &Tap {
        let [front, _, database] = self.taps();
        match direction {
            Direction::AppToDb => front,
            Direction::DbToApp => database,
        }
    }
}

/// Runs SQL directly, in this database.
fn run(address: Address, database: &str, sql: &str) {
    let mut session = address.raw();
    session.send(message::startup(&[
        ("user", "postgres"),
        ("database", database),
    ]));
    session.read_until_ready();
    let answer = session.query(sql);
    assert!(
        answer.iter().all(|message| message.tag != b'E'),
        "{sql}: {answer:?}"
    );
}

fn in_turns(address: Address, database: &str, conversation: &Conversation) -> Heard {
    let (mut session, mut heard) = (address.raw(), Heard::new());
    if conversation.size == Size::Huge {
        session.set_timeout(4 * PATIENCE);
    }
    // The peer may hang up at any time; what has been heard until then is compared.
    if say(&mut session, database, conversation, &mut heard).is_ok() {
        let _ = session.try_send(&conversation.ends);
    }
    session.finish();
    heard.extend(session.read_until_closed());
    heard
}

fn say(
    session: &mut Session,
    database: &str,
    conversation: &Conversation,
    heard: &mut Heard,
) -> Result<(), Ended> {
    let start = &conversation.start;
    for request in &start.asks {
        session.try_send(request).map_err(|_| Ended::Closed)?;
        let tag = session.read_byte()?;
        heard.push(Message { tag, body: vec![] });
    }
    session.log_in(&start.message(database), start.user, PASSWORD, heard)?;
    for Turn { says, until } in &conversation.turns {
        session.try_send(says).map_err(|_| Ended::Closed)?;
        loop {
            let message = session.read()?;
            let last = message.tag == *until;
            heard.push(message);
            if last {
                break;
            }
        }
    }
    Ok(())
}

fn at_once(address: Address, conversation: &Conversation) -> Heard {
    let turns = conversation.turns.iter().flat_map(|turn| &turn.says);
    let mut bytes = conversation.start.message(SEALED);
    bytes.extend(turns.chain(&conversation.ends));
    let mut session = address.raw();
    let mut sending = Session::over(session.stream().tcp().try_clone().unwrap());
    let sender = thread::spawn(move || {
        let _ = sending.try_send(bytes);
        sending.finish();
    });
    let heard = session.read_until_closed();
    sender.join().unwrap();
    heard
}
