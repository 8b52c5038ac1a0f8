//! Making a store's prefix, opening one, and refusing a prefix that holds something else.

use std::time::Instant;

use super::commit::operations;
use super::gateway::{Fault, Gateway, Repeat};
use super::mark::{CommitId, FORMAT, Mark, NoMark};
use super::messages::{Compare, KeyValue, RangeRequest, TxnRequest, TxnResponse};
use super::{Dated, Etcd, EtcdError, EtcdSettings, range, read_mark};
use crate::Error;
use crate::address::EtcdAddress;
use crate::engine::{Edit, end_of};

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
        let begun = Instant::now();
        let answer = match gateway.ask::<TxnResponse>("kv/txn", &transaction, Repeat::NotSent) {
            // It can be made once only, so it can be sent again.
            Err(Fault::Unheard(why)) => gateway
                .ask_since(begun, "kv/txn", &transaction, Repeat::Always)
                .map_err(|_| EtcdError::Unheard(why))?,
            answer => answer.map_err(|fault| gateway.failed(fault))?,
        };
        let made_at = if answer.succeeded {
            answer.header.revision
        } else {
            let path = address.to_string().into();
            match read_mark(&gateway, &prefix)?.map(|found| found.mark) {
                // By the first of two, whose answer did not come.
                Some(mark) if is_commit(&mark, id) => mark.create_revision,
                Some(mark) if Mark::parse(&mark.value.0) != Err(NoMark::Other) => {
                    return Err(Error::Exists { path });
                }
                _ => return Err(Error::NotAStore { path }),
            }
        };
        Ok(Self {
            gateway,
            prefix,
            made_at,
        })
    }

    /// Opens a prefix that [`Etcd::create`] has made.
    pub fn open(address: &EtcdAddress, settings: &EtcdSettings) -> Result<Self, Error> {
        let gateway = Gateway::new(address, settings)?;
        let prefix = address.prefix().to_owned();
        let path = || address.to_string().into();
        let Some(Dated { mark, .. }) = read_mark(&gateway, &prefix)? else {
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
