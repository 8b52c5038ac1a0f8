//! Which COPY's data comes next: what was read of its statement goes the way that statement goes,
//! through the Query it stands in, or through Parse, Bind and Execute.

use std::collections::HashMap;
use std::sync::Arc;

use wire::copy::{Copies, Options};
use wire::description::Format;
use wire::request::Name;

use super::{Conversation, Pending, Reply};

/// Prepared COPY statements and portals that are remembered; of others nothing is known.
const MAX_REMEMBERED: usize = 1 << 8;

/// Statements that are COPY, and portals bound to them. SQL puts no COPY behind a name.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    statements: HashMap<Name, Arc<Options>>,
    portals: HashMap<Name, Arc<Options>>,
}

impl Prepared {
    /// Parse has given the name to this statement.
    pub(super) fn defined(&mut self, statement: Name, copies: &Copies) {
        remember(&mut self.statements, statement, copies.first());
    }

    /// Bind has made a portal of a statement.
    pub(super) fn bound(&mut self, portal: Name, statement: &Name) {
        if self.statements.is_empty() && self.portals.is_empty() {
            return;
        }
        let options = self.statements.get(statement).cloned();
        remember(&mut self.portals, portal, options);
    }

    pub(super) fn statement_closed(&mut self, name: &Name) {
        self.statements.remove(name);
    }

    pub(super) fn portal_closed(&mut self, name: &Name) {
        self.portals.remove(name);
    }

    pub(super) fn transaction_ended(&mut self) {
        self.portals.clear();
    }
}

/// Of a name that is no COPY nothing is known.
fn remember(copies: &mut HashMap<Name, Arc<Options>>, name: Name, options: Option<Arc<Options>>) {
    match options {
        None => drop(copies.remove(&name)),
        Some(options) => super::remember(copies, MAX_REMEMBERED, name, options),
    }
}

impl Conversation {
    /// Takes note of a CopyOutResponse. Answers what the application is to see of it, and what the
    /// statement said of the data that comes now, if that is known.
    pub fn copy_out_begins(&mut self) -> (Reply, Option<Arc<Options>>) {
        self.drop_stale_syncs();
        let options = match self.pending.front_mut() {
            Some(Pending::Query(copies)) => copies.pop(),
            Some(Pending::Execute(portal)) => self.prepared.portals.get(portal).cloned(),
            _ => None,
        };
        (self.reply(b'H', None), options)
    }

    /// The format of the function's result that comes now.
    #[must_use]
    pub fn function_format(&mut self) -> Format {
        self.drop_stale_syncs();
        match self.pending.front() {
            Some(Pending::Call(Some(format))) => *format,
            _ => Format::Text,
        }
    }
}
