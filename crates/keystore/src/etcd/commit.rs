//! Commits: one transaction each, and what became of one whose answer did not come.
//!
//! Every commit writes the mark with an id of its own, so a transaction that was made is found in the
//! mark's history. Where a condition names a value that the commit writes, the same transaction can be
//! sent again: if the first one was made, or still comes to be made, the other fails its conditions.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use super::Etcd;
use super::error::EtcdError;
use super::gateway::{Fault, Repeat};
use super::mark::{CommitId, Mark};
use super::messages::{Base64, Compare, Operation, RangeRequest, TxnRequest, TxnResponse};
use crate::Error;
use crate::engine::{Commit, Condition, Edit, Named};

impl Etcd {
    pub(super) fn commit_once(
        &self,
        conditions: &[Condition],
        edits: &[Edit],
    ) -> Result<Commit, Error> {
        let id = CommitId::draw()?;
        let transaction = self.transaction(id, conditions, edits);
        let before = self.gateway.seen();
        let begun = Instant::now();
        let answer = match self.gateway.ask("kv/txn", &transaction, Repeat::NotSent) {
            Ok(answer) => return self.outcome(&answer),
            Err(Fault::Unheard(why)) => why,
            Err(fault) => return Err(self.gateway.failed(fault)),
        };
        let unheard = |why| Error::Etcd(EtcdError::Unheard(why));
        if !is_fenced(conditions, edits) {
            return match self.find(id, before) {
                Some(Some(revision)) => Ok(Commit::Done(revision)),
                _ => Err(unheard(answer)),
            };
        }
        let again = self
            .gateway
            .ask_since(begun, "kv/txn", &transaction, Repeat::Always);
        match again {
            Ok(second) => match self.outcome(&second)? {
                Commit::Done(revision) => Ok(Commit::Done(revision)),
                Commit::Conflict => match self.find(id, before) {
                    Some(Some(revision)) => Ok(Commit::Done(revision)),
                    Some(None) => Ok(Commit::Conflict),
                    None => Err(unheard(answer)),
                },
            },
            Err(_) => Err(unheard(answer)),
        }
    }

    /// The transaction: conditions, and that the prefix still holds the store that was opened; edits,
    /// and the mark.
    fn transaction(&self, id: CommitId, conditions: &[Condition], edits: &[Edit]) -> TxnRequest {
        let mut compare = vec![Compare::made_at(&self.prefix, None, self.made_at)];
        compare.extend(
            conditions
                .iter()
                .map(|Condition { name, revision }| Compare::changed_at(self.key(name), *revision)),
        );
        TxnRequest {
            compare,
            success: operations(&self.prefix, id, edits),
            failure: vec![Operation::Range(RangeRequest {
                key: self.prefix.as_str().into(),
                keys_only: true,
                ..RangeRequest::default()
            })],
        }
    }

    fn outcome(&self, answer: &TxnResponse) -> Result<Commit, Error> {
        if answer.succeeded {
            return Ok(Commit::Done(answer.header.revision));
        }
        let mark = answer
            .responses
            .first()
            .and_then(|response| response.response_range.as_ref()?.kvs.first());
        match mark {
            Some(mark) if mark.create_revision == self.made_at => Ok(Commit::Conflict),
            _ => Err(self.replaced()),
        }
    }

    /// The revision of the commit of this id, if it was made after `before`; nothing if that cannot
    /// be told.
    fn find(&self, id: CommitId, before: i64) -> Option<Option<i64>> {
        let now = self.mark().ok()?.mod_revision;
        let mut found = None;
        let told = self.history(before, now, |revision, mark| {
            if mark.commit == id {
                found = Some(revision);
            }
            ControlFlow::Continue(())
        });
        told.ok()??;
        Some(found)
    }
}

/// What makes these edits, and leaves the mark of the commit. Of several edits of one name the last
/// one counts: etcd takes one only.
pub(super) fn operations(prefix: &str, id: CommitId, edits: &[Edit]) -> Vec<Operation> {
    let edits: BTreeMap<&str, &Edit> = edits.iter().map(|edit| (edit.name(), edit)).collect();
    let mark = Mark {
        commit: id,
        names: edits.keys().map(|name| (*name).to_owned()).collect(),
    };
    let key = |name: &str| Base64(format!("{prefix}{name}").into());
    let mut operations = vec![Operation::Put {
        key: prefix.into(),
        value: Base64(mark.value().into()),
    }];
    operations.extend(edits.into_values().map(|edit| match edit {
        Edit::Put(Named { name, value }) => Operation::Put {
            key: key(name),
            value: Base64(value.clone()),
        },
        Edit::Remove(name) => Operation::Delete { key: key(name) },
    }));
    operations
}

/// Whether making the edits breaks a condition, so that they are made once only.
fn is_fenced(conditions: &[Condition], edits: &[Edit]) -> bool {
    conditions.iter().any(|Condition { name, revision }| {
        let edit = edits.iter().rfind(|edit| edit.name() == name);
        // Removing what is not there changes nothing.
        edit.is_some_and(|edit| matches!(edit, Edit::Put(_)) || *revision != 0)
    })
}
