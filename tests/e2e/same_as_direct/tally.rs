//! What was held, what was cut, and what was not the same.

use std::collections::BTreeSet;

use harness::raw::Message;
use harness::report;

use super::conversations::Conversation;
use super::message_types::{FROM_APP, FROM_DB};

#[derive(Default)]
pub struct Tally {
    conversations: usize,
    /// How often one was held through the chain.
    held: usize,
    login_cuts: usize,
    cuts: usize,
    from_app: BTreeSet<u8>,
    from_db: BTreeSet<u8>,
    differences: Vec<String>,
}

impl Tally {
    /// Takes note of a conversation, and of the types of its messages.
    pub fn conversation(&mut self, conversation: &Conversation, direct: &[Message]) {
        self.conversations += 1;
        self.from_app.extend(conversation.types_said());
        self.from_db
            .extend(direct.iter().map(|message| message.tag));
    }

    /// Takes note of a conversation held through the chain.
    pub fn compare(
        &mut self,
        conversation: &Conversation,
        pace: &str,
        direct: &[Message],
        by_chain: &[Message],
    ) {
        self.held += 1;
        if direct != by_chain {
            let name = conversation.name;
            self.differs(format!("{name}, {pace}:\n  {direct:?}\n  {by_chain:?}"));
        }
    }

    /// Takes note of a stream that was cut in two.
    pub fn cut(&mut self, is_login: bool) {
        match is_login {
            true => self.login_cuts += 1,
            false => self.cuts += 1,
        }
    }

    pub fn differs(&mut self, how: String) {
        self.differences.push(how);
    }

    /// Writes it down, and fails if anything was not the same, or was never said.
    pub fn report(mut self, version: &str) {
        for (name, tag) in FROM_APP {
            if !tag.is_none_or(|tag| self.from_app.contains(&tag)) {
                self.differs(format!("no conversation has a {name} from the application"));
            }
        }
        for (name, tag) in FROM_DB {
            if !tag.is_none_or(|tag| self.from_db.contains(&tag)) {
                self.differs(format!("no conversation has a {name} from the database"));
            }
        }
        let outcome = match self.differences.len() {
            0 => "all equal".to_owned(),
            count => format!("{count} DIFFERENT"),
        };
        let line = format!(
            "PostgreSQL {version:<6} {:>4} conversations {:>6} cuts in logging in {:>6} elsewhere \
             {:>6} comparisons   {outcome}\n",
            self.conversations, self.login_cuts, self.cuts, self.held
        );
        report(&format!("same-as-direct-{version}"), &line);
        let differences = self.differences.join("\n");
        assert!(
            differences.is_empty(),
            "PostgreSQL {version}:\n{differences}"
        );
    }
}
