//! What an application says, in which order, and where it waits.

use std::collections::VecDeque;

use wire::description::{Format, Formats};

use super::messages::{Asked, Statement};
use crate::input::Input;

/// All that it says.
#[derive(Default)]
pub struct Script {
    pub said: VecDeque<Said>,
    /// How often it hears the end of a batch.
    pub ends_due: usize,
    /// Of these so many may stay away: those of a Query in a batch that may have failed before.
    pub ends_in_doubt: usize,
}

/// What an application does next.
pub enum Said {
    Request(Asked),
    /// Data of a COPY, or its end, if the application has seen it begin, or does not look.
    Data(Asked, bool),
    /// The end of one that it has seen begin, and a Sync in the place of one that was ignored.
    EndAndSync(bool),
    /// Waits until all is answered.
    Wait,
}

impl Script {
    pub fn new(input: &mut Input<'_>) -> Self {
        let mut script = Self::default();
        let waits = input.any();
        for _ in 0..1 + input.below(6) {
            script.unit(waits, input);
            if waits {
                script.said.push_back(Said::Wait);
            }
        }
        script
    }

    /// Up to one end of a batch.
    fn unit(&mut self, waits: bool, input: &mut Input<'_>) {
        self.ends_due += 1;
        match input.below(4) {
            0 => {
                let statements = (0..input.below(4)).map(|_| Statement::any(input));
                let mut statements: Vec<_> = statements.collect();
                // It is the last one; the application would have to say data of several.
                let first = statements.iter().position(Statement::copies_in);
                statements.truncate(first.map_or(statements.len(), |first| first + 1));
                self.say(Asked::Query(statements));
                if first.is_some() {
                    self.data(waits, input);
                }
            }
            1 => {
                let format = *input.one_of(&[Some(Format::Text), Some(Format::Binary), None]);
                let refused = input.any();
                self.say(Asked::Call(format, refused));
            }
            _ => {
                for _ in 0..1 + input.below(6) {
                    self.step(waits, input);
                }
                if input.once_in(4) {
                    return self.unseen_copy(input);
                }
                self.say(Asked::Sync);
            }
        }
    }

    fn step(&mut self, waits: bool, input: &mut Input<'_>) {
        let name = *input.one_of(&["", "a"]);
        let other = *input.one_of(&["", "a"]);
        match input.below(8) {
            0 => self.say(Asked::Parse(name, Statement::any(input))),
            1 => self.say(Asked::DescribeStatement(name)),
            2 => self.say(Asked::Bind(name, other, formats(input))),
            3 => self.say(Asked::DescribePortal(name)),
            4 if input.once_in(4) => {
                let statement = Statement::any(input);
                if !statement.copies_in() {
                    self.say(Asked::Query(vec![statement]));
                    self.ends_due += 1;
                    self.ends_in_doubt += 1;
                }
            }
            4 => self.say(Asked::Close(name, input.any())),
            // All of it, as drivers do.
            _ => {
                let statement = Statement::any(input);
                let copies_in = statement.copies_in();
                self.say(Asked::Parse(other, statement));
                if input.any() {
                    self.say(Asked::DescribeStatement(other));
                }
                self.say(Asked::Bind(name, other, formats(input)));
                if input.any() {
                    self.say(Asked::DescribePortal(name));
                }
                self.say(Asked::Execute(name));
                if copies_in {
                    self.data(waits, input);
                } else if waits && input.once_in(4) {
                    self.said.push_back(Said::Wait);
                }
            }
        }
    }

    /// What a COPY takes in, and its end.
    fn data(&mut self, waits: bool, input: &mut Input<'_>) {
        if waits {
            self.said.push_back(Said::Wait);
        }
        for _ in 0..input.below(3) {
            self.said.push_back(Said::Data(Asked::CopyData, !waits));
        }
        let fails = input.once_in(4);
        let end = Said::Data(Asked::CopyEnd(fails), !waits);
        self.said.push_back(end);
    }

    /// A COPY that the application takes for another statement, until it sees it begin.
    fn unseen_copy(&mut self, input: &mut Input<'_>) {
        self.say(Asked::Parse("", Statement::CopyIn));
        self.say(Asked::Bind("", "", None));
        self.say(Asked::Execute(""));
        self.say(Asked::Sync);
        self.said.push_back(Said::Wait);
        self.said.push_back(Said::Data(Asked::CopyData, false));
        self.said.push_back(Said::EndAndSync(input.any()));
    }

    fn say(&mut self, asked: Asked) {
        self.said.push_back(Said::Request(asked));
    }
}

fn formats(input: &mut Input<'_>) -> Option<Formats> {
    match input.below(4) {
        0 => None,
        1 => Some(Formats::All(Format::Binary)),
        2 => Some(Formats::Each([Format::Binary, Format::Text].into())),
        _ => Some(Formats::All(Format::Text)),
    }
}
