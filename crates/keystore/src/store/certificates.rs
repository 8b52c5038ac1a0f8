//! Certificates: which were issued, and which nobody is to accept any more.

use super::{Author, Store, Transaction};
use crate::Error;
use crate::engine::MAX_COMMIT;
use crate::name::RecordName;
use crate::record::{
    Certificate, CertificateBody, Event, Revocations, RevocationsBody, Revoked, Serial, Timestamp,
};

/// Certificates that are revoked in one change; each takes an entry of the audit log.
const AT_ONCE: usize = MAX_COMMIT - 20;

/// A list that is no longer than this keeps what has expired: one host whose clock is wrong must not
/// take everything off it.
const ROOM: usize = 1000;

impl Author<'_> {
    /// Records a certificate that was issued, so that it can be listed and revoked by name. One
    /// that is recorded already is left as it is.
    pub fn record_certificate(&self, certificate: &Certificate) -> Result<(), Error> {
        let name = RecordName::Certificate(certificate.serial.clone());
        self.change(|tx| {
            if tx.is_taken(&name)? {
                return Ok(());
            }
            tx.put_json(
                &name,
                &CertificateBody {
                    identity: certificate.identity.clone(),
                    recorded: certificate.recorded,
                    expires: certificate.expires,
                },
            )?;
            tx.log(Event::CertificateRecorded {
                serial: certificate.serial.to_string(),
                identity: certificate.identity.clone(),
                expires: certificate.expires,
            });
            Ok(())
        })?;
        Ok(())
    }

    /// Revokes certificates: every server hears of it within a second, and every connector from
    /// its server. Answers those that were not revoked before. Takes what has expired off a list that
    /// has grown long.
    ///
    /// Some are revoked in one change; after an error those before it are.
    pub fn revoke(&self, certificates: &[(Serial, Revoked)]) -> Result<Vec<Serial>, Error> {
        let mut serials = Vec::new();
        for some in certificates.chunks(AT_ONCE) {
            serials.extend(self.change(|tx| revoke(tx, some))?.0);
        }
        Ok(serials)
    }
}

fn revoke(
    tx: &mut Transaction<'_>,
    certificates: &[(Serial, Revoked)],
) -> Result<Vec<Serial>, Error> {
    let mut list: RevocationsBody = tx.require(&RecordName::Revocations)?;
    let mut added = Vec::new();
    for (serial, revoked) in certificates {
        if list.revoked.contains_key(serial) {
            continue;
        }
        list.revoked.insert(serial.clone(), revoked.clone());
        tx.log(Event::CertificateRevoked {
            serial: serial.to_string(),
            identity: revoked.identity.clone(),
            expires: revoked.expires,
            reason: revoked.reason.clone(),
        });
        added.push(serial.clone());
    }
    if !added.is_empty() {
        if list.revoked.len() > ROOM {
            let now = Timestamp::now();
            // A day more than they are valid, for clocks that are behind.
            let expired = |it: &Revoked| it.expires.is_some_and(|at| at.plus_days(1) < now);
            list.revoked.retain(|_, revoked| !expired(revoked));
        }
        list.number += 1;
        tx.put_json(&RecordName::Revocations, &list)?;
    }
    Ok(added)
}

impl Store {
    /// The certificates that nobody is to accept.
    pub fn revocations(&self) -> Result<Revocations, Error> {
        let list: Option<RevocationsBody> = self.read_json(&RecordName::Revocations)?;
        list.map(Revocations::from)
            .ok_or_else(|| self.missing(&RecordName::Revocations))
    }

    /// The certificate of this serial number; `None` if it was not recorded.
    pub fn certificate(&self, serial: &Serial) -> Result<Option<Certificate>, Error> {
        let name = RecordName::Certificate(serial.clone());
        let body: Option<CertificateBody> = self.read_json(&name)?;
        Ok(body.map(|body| body.certificate(serial.clone())))
    }

    /// A page of recorded certificates by serial number, those that follow `after`: at most
    /// `limit`, and at most [`MAX_PAGE`](crate::MAX_PAGE). An empty page is the end.
    pub fn certificates(
        &self,
        after: Option<&Serial>,
        limit: usize,
    ) -> Result<Vec<Certificate>, Error> {
        let after = after.map(|serial| RecordName::Certificate(serial.clone()));
        let page = self.scan(RecordName::CERTIFICATES, after.as_ref(), limit)?;
        let certificate = |(name, body): (RecordName, CertificateBody)| match name {
            RecordName::Certificate(serial) => Ok(body.certificate(serial)),
            other => Err(self.altered(other.to_string())),
        };
        page.into_iter().map(certificate).collect()
    }
}
