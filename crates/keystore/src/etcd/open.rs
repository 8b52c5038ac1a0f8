//! Making a store's prefix, opening one, and refusing a prefix that holds something else.

use super::commit::operations;
use super::gateway::{Fault, Gateway, Repeat};
use super::mark::{CommitId, FORMAT, Mark, NoMark};
use super::messages::{Compare, KeyValue, RangeRequest, TxnRequest, TxnResponse};
use super::{Etcd, EtcdError, EtcdSettings, end_of, range, read_mark};
use crate::Error;
use crate::address::EtcdAddress;
use crate::engine::Edit;

impl Etcd {
    /// Writes these values under a prefix that holds nothing, all or none.
    pub fn create(
        address: &EtcdAddress,
        settings: &EtcdSettings,
        values: &[Edit],
    ) -> Result<Self, Error> {
        let gateway = Gateway::new(address, settings)?;
        let prefix = address.prefix().to_owned();
        let id = CommitId::draw()?;
        let transaction = TxnRequest {
            compare: vec![Compare::made_at(&prefix, Some(&end_of(&prefix)), 0)],
            success: operations(&prefix, id, values),
            failure: Vec::new(),
        };
        let unheard = match gateway.ask::<TxnResponse>("kv/txn", &transaction, Repeat::NotSent) {
            Ok(answer) if answer.succeeded => {
                let made_at = answer.header.revision;
                return Ok(Self {
                    gateway,
                    prefix,
                    made_at,
                });
            }
            Ok(_) => None,
            Err(Fault::Unheard(why)) => Some(why),
            Err(fault) => return Err(gateway.failed(fault)),
        };
        let path = address.to_string().into();
        let found = read_mark(&gateway, &prefix);
        match (found, unheard) {
            (Ok(Some(found)), Some(_)) if is_commit(&found, id) => Ok(Self {
                gateway,
                prefix,
                made_at: found.create_revision,
            }),
            (_, Some(why)) => Err(EtcdError::Unheard(why).into()),
            (Ok(Some(found)), None) if Mark::parse(&found.value.0) != Err(NoMark::Other) => {
                Err(Error::Exists { path })
            }
            (Ok(_), None) => Err(Error::NotAStore { path }),
            (Err(error), None) => Err(error),
        }
    }

    /// Opens a prefix that [`Etcd::create`] has made.
    pub fn open(address: &EtcdAddress, settings: &EtcdSettings) -> Result<Self, Error> {
        let gateway = Gateway::new(address, settings)?;
        let prefix = address.prefix().to_owned();
        let path = || address.to_string().into();
        let Some(mark) = read_mark(&gateway, &prefix)? else {
            let anything = RangeRequest {
                key: prefix.as_str().into(),
                range_end: Some(end_of(&prefix).as_str().into()),
                limit: 1,
                keys_only: true,
                ..RangeRequest::default()
            };
            return Err(if range(&gateway, &anything)?.kvs.is_empty() {
                Error::NoStore { path: path() }
            } else {
                Error::NotAStore { path: path() }
            });
        };
        match Mark::parse(&mark.value.0) {
            Ok(_) => Ok(Self {
                gateway,
                prefix,
                made_at: mark.create_revision,
            }),
            Err(NoMark::Format(found)) if found > FORMAT => Err(Error::NewerFormat {
                path: path(),
                found,
                known: FORMAT,
            }),
            Err(_) => Err(Error::NotAStore { path: path() }),
        }
    }
}

fn is_commit(mark: &KeyValue, id: CommitId) -> bool {
    Mark::parse(&mark.value.0).is_ok_and(|mark| mark.commit == id)
}
