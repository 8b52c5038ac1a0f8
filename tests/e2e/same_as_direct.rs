//! Conversations with a database, directly and through the chain, compared byte for byte. What the
//! one reads in clear the other reads sealed, and opened on the way.
//!
//! Every conversation is held in turns, with everything sent at once, with every byte in a packet
//! of its own, and with all that passes cut and joined at random. Then it is held once more for
//! each place where one of two streams is cut in two: what the application says on its way to the
//! connector, and what the database says on its way to the server. In logging in that is every
//! place; elsewhere fifty of them, half in each direction. All of it is done in a long run, and a part of it, another one
//! each time, in others.
//!
//! What may differ between a direct session and one through the chain is in [`listen::normalise`],
//! and nothing else. What no real server sends is in [`unreal`].

mod conversations;
mod documented;
mod handshakes;
mod listen;
mod message_types;
mod stand;
mod tally;
mod unreal;
mod wal;

use harness::{Direction, Random, Release, is_long};

use conversations::{Conversation, all, logins};
use listen::types;
use stand::{Pace, Stand};
use tally::Tally;

/// Places of a conversation that are cut in each direction, in a long run and in another.
const CUTS: [usize; 2] = [25, 2];

/// One in so many places of logging in is cut if the run is no long one.
const LOGIN_STEP: usize = 16;

const PACES: [Pace; 4] = [Pace::InTurns, Pace::AtOnce, Pace::Trickling, Pace::AtRandom];
const DIRECTIONS: [Direction; 2] = [Direction::AppToDb, Direction::DbToApp];

/// What remains to be held of the one conversation that is at hand.
struct Held<'a> {
    stand: &'a Stand,
    random: &'a mut Random,
    tally: &'a mut Tally,
}

impl Held<'_> {
    /// Holds a conversation directly, and in all ways through the chain.
    fn conversation(&mut self, conversation: &Conversation, is_login: bool) {
        if !conversation.can(Pace::InTurns) {
            return;
        }
        let stand = self.stand;
        let direct = stand.hold_directly(conversation);
        let expected = conversation.types;
        let name = conversation.name;
        if types(&direct) != expected {
            let found = types(&direct);
            self.tally
                .differs(format!("{name}: directly {found}, not {expected}"));
        }
        self.tally.conversation(conversation, &direct);
        let mut lengths = [0; 2];
        for pace in PACES {
            if !conversation.can(pace) {
                continue;
            }
            let before = DIRECTIONS.map(|direction| stand.passed(direction));
            let by_chain = stand.hold(conversation, pace, self.random);
            self.tally
                .compare(conversation, &format!("{pace:?}"), &direct, &by_chain);
            if pace == Pace::InTurns {
                let after = DIRECTIONS.map(|direction| stand.passed(direction));
                lengths = [after[0] - before[0], after[1] - before[1]];
            }
        }
        for (direction, length) in DIRECTIONS.into_iter().zip(lengths) {
            for at in self.places(is_login, length) {
                let cut = Pace::Cut(direction, at);
                if !conversation.can(cut) {
                    continue;
                }
                let by_chain = stand.hold(conversation, cut, self.random);
                self.tally
                    .compare(conversation, &format!("{cut:?}"), &direct, &by_chain);
                self.tally.cut(is_login);
            }
        }
    }

    /// Where a stream of so many bytes is cut: never at its ends.
    fn places(&mut self, is_login: bool, length: usize) -> Vec<usize> {
        let inner = length.saturating_sub(1);
        match (is_login, is_long()) {
            (true, true) => (1..=inner).collect(),
            (true, false) => {
                let first = 1 + self.random.below(LOGIN_STEP);
                (first..=inner).step_by(LOGIN_STEP).collect()
            }
            (false, _) if inner == 0 => vec![],
            (false, is_long) => {
                let count = CUTS[usize::from(!is_long)];
                (0..count).map(|_| 1 + self.random.below(inner)).collect()
            }
        }
    }
}

/// Everything there is to say to one PostgreSQL.
fn compare(release: Release) {
    let stand = Stand::start(release);
    let (mut random, mut tally) = (Random::new(), Tally::default());
    let mut held = Held {
        stand: &stand,
        random: &mut random,
        tally: &mut tally,
    };
    for login in logins::all() {
        held.conversation(&login, true);
    }
    for conversation in all(stand.wal()) {
        held.conversation(&conversation, false);
    }
    tally.report(&stand.version());
}

#[test]
fn conversations_with_the_installed_postgresql_are_the_same_as_direct_ones() {
    compare(Release::Installed);
}

#[test]
fn conversations_with_postgresql_18_are_the_same_as_direct_ones() {
    compare(Release::Eighteen);
}
