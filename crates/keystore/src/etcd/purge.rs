//! Having removed values leave the members' databases: compaction and defragmentation of each.
//!
//! What is left after it is in the members' write-ahead logs, which etcd cuts as it goes on (by
//! default, when five files of 64 MB have followed), and in their backups.

use std::collections::BTreeMap;

use super::gateway::{Fault, Repeat};
use super::messages::{CompactionRequest, Empty, HeaderResponse, MemberListResponse};
use super::{Etcd, EtcdError};
use crate::Error;
use crate::address::Endpoint;
use crate::engine::Commit;

impl Etcd {
    /// Purges every member, one after the other; those that cannot be are named in the error, after
    /// all others are done.
    pub(super) fn purge_members(&self) -> Result<(), Error> {
        let members: MemberListResponse = self
            .gateway
            .ask("cluster/member/list", &Empty {}, Repeat::Always)
            .map_err(|fault| self.gateway.failed(fault))?;
        let mut left: BTreeMap<u64, String> = members
            .members
            .into_iter()
            .map(|member| (member.id, format!("{}: no endpoint given", member.name)))
            .collect();
        for endpoint in self.gateway.endpoints() {
            let Ok(member) = self.member(endpoint) else {
                continue;
            };
            let Some(why) = left.get_mut(&member) else {
                continue;
            };
            match self.purge_member(endpoint) {
                Ok(()) => drop(left.remove(&member)),
                // Every member would say so.
                Err(Fault::Refused(error)) => return Err(error),
                Err(Fault::NotSent(what) | Fault::Unheard(what)) => {
                    *why = format!("{endpoint}: {what}");
                }
                Err(Fault::Compacted) => {
                    *why = format!("{endpoint}: somebody else compacts it again and again");
                }
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        let left: Vec<_> = left.into_values().collect();
        Err(EtcdError::MembersMissed(left.join("; ")).into())
    }

    /// Which member answers at this endpoint.
    fn member(&self, endpoint: &Endpoint) -> Result<u64, Fault> {
        let status: HeaderResponse =
            self.gateway
                .ask_at(endpoint, "maintenance/status", &Empty {})?;
        Ok(status.header.unwrap_or_default().member_id)
    }

    /// Compacts through this member, which then answers when its own database is compacted, and
    /// defragments it. Compaction is of the whole cluster, once for each revision, so every member is
    /// given a revision of its own.
    fn purge_member(&self, endpoint: &Endpoint) -> Result<(), Fault> {
        const ATTEMPTS: usize = 3;
        let mut compacted = Err(Fault::Compacted);
        for _ in 0..ATTEMPTS {
            let revision = match self.commit_once(&[], &[]) {
                Ok(Commit::Done(revision)) => revision,
                Ok(Commit::Conflict) => continue,
                Err(Error::Etcd(error @ (EtcdError::Unheard(_) | EtcdError::Unreachable(_)))) => {
                    return Err(Fault::Unheard(error.to_string()));
                }
                Err(error) => return Err(Fault::Refused(error)),
            };
            let request = CompactionRequest {
                revision,
                physical: true,
            };
            compacted =
                self.gateway
                    .upkeep_at::<HeaderResponse>(endpoint, "kv/compaction", &request);
            if !matches!(compacted, Err(Fault::Compacted)) {
                break;
            }
        }
        compacted?;
        self.gateway
            .upkeep_at::<HeaderResponse>(endpoint, "maintenance/defragment", &Empty {})?;
        Ok(())
    }
}
