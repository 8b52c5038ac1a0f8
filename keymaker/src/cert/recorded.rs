//! `cert record`, `cert list`, `cert show` and `cert revoke`.

use keystore::{Certificate, Revocations, Revoked, Serial, Store, Timestamp};
use serde::Serialize;

use super::expiry::{each, warn_of_expiry};
use super::read::ReadCertificate;
use crate::Error;
use crate::cli::cert as cli;
use crate::output::{Line, Output, Text};
use crate::source::{open_store, operator};
use crate::times::roughly;

pub fn record(args: cli::CertRecord, output: &mut Output<'_>) -> Result<(), Error> {
    let certificates = args.files.iter().map(|path| ReadCertificate::open(path));
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let store = open_store(args.store)?;
    let list = store.revocations()?;
    let mut lines = Vec::new();
    for certificate in &certificates {
        let record = certificate.to_record();
        store.by(operator()).record_certificate(&record)?;
        lines.push(CertificateLine::of(&record, &list));
    }
    warn_of_expiry(&store, None, output)?;
    let text = Text::default().table(&lines);
    output.answer(&lines, &text)
}

pub fn list(args: cli::CertList, output: &mut Output<'_>) -> Result<(), Error> {
    let store = open_store(args.store)?;
    let list = store.revocations()?;
    let now = Timestamp::now();
    let soon = args.expiring.map(|period| now.plus(period.0));
    let is_meant = |one: &Certificate| {
        soon.is_none_or(|soon| {
            let is_valid = one.expires >= now && !list.certificates.contains_key(&one.serial);
            is_valid && one.expires <= soon
        })
    };
    output.list::<CertificateLine, _>(|last: Option<&Listed>| {
        let mut after = last.map(|last| last.0.serial.clone());
        loop {
            let mut page = store.certificates(after.as_ref(), keystore::MAX_PAGE)?;
            after = page.last().map(|one| one.serial.clone());
            page.retain(is_meant);
            // A page without any is not the end.
            if !page.is_empty() || after.is_none() {
                let line = |one: Certificate| {
                    let line = CertificateLine::of(&one, &list);
                    Listed(one, line)
                };
                return Ok(page.into_iter().map(line).collect());
            }
        }
    })?;
    if args.expiring.is_none() {
        warn_of_expiry(&store, None, output)?;
    }
    Ok(())
}

pub fn show(args: cli::CertShow, output: &mut Output<'_>) -> Result<(), Error> {
    let certificate = ReadCertificate::open(&args.file)?;
    let store = args.store.0.map(open_store).transpose()?;
    let (mut recorded, mut revoked) = (None, None);
    if let Some(store) = &store {
        recorded = Some(store.certificate(&certificate.serial)?.is_some());
        revoked = store
            .revocations()?
            .certificates
            .remove(&certificate.serial);
    }
    let answer = ShowAnswer {
        identity: certificate.identity.clone(),
        serial: certificate.serial.to_string(),
        fingerprint: certificate.fingerprint.clone(),
        issuer: certificate.issuer.clone(),
        from: certificate.from.to_string(),
        expires: certificate.expires.to_string(),
        recorded,
        revoked: revoked.as_ref().map(|revoked| revoked.at.to_string()),
    };
    let mut fields = vec![
        ("identity", answer.identity.clone()),
        ("serial", answer.serial.clone()),
        ("fingerprint", answer.fingerprint.clone()),
        ("issuer", answer.issuer.clone()),
        ("valid from", answer.from.clone()),
        ("expires", answer.expires.clone()),
    ];
    if let Some(recorded) = recorded {
        fields.push(("recorded", if recorded { "yes" } else { "no" }.into()));
        let state = answer.revoked.clone();
        fields.push(("revoked", state.unwrap_or_else(|| "no".into())));
    }
    output.answer(&answer, &Text::default().fields(&fields))
}

pub fn revoke(args: cli::CertRevoke, output: &mut Output<'_>) -> Result<(), Error> {
    let which = args.which;
    let file = which
        .file
        .as_deref()
        .map(ReadCertificate::open)
        .transpose()?;
    let store = open_store(args.store)?;
    let holder = [
        which.client.map(|id| format!("client/{id}")),
        which.server.map(|id| format!("server/{id}")),
        which.admin.map(|id| format!("admin/{id}")),
    ];
    let holder = holder.into_iter().flatten().next();
    let known: Vec<(Serial, Option<Certificate>)> = match (file, which.serial, holder) {
        (Some(file), ..) => vec![(file.serial.clone(), Some(file.to_record()))],
        (_, Some(serial), _) => {
            let certificate = store.certificate(&serial)?;
            vec![(serial, certificate)]
        }
        (_, _, holder) => {
            let holder = holder.expect("the argument parser asks for one of them");
            let all = valid_of(&store, &holder)?;
            if all.is_empty() {
                return Err(Error::NoneRecorded(holder));
            }
            all.into_iter()
                .map(|one| (one.serial.clone(), Some(one)))
                .collect()
        }
    };
    let revocation = |(serial, certificate): (Serial, Option<Certificate>)| {
        let revoked = Revoked {
            identity: certificate.as_ref().map(|one| one.identity.clone()),
            at: Timestamp::now(),
            expires: certificate.map(|one| one.expires),
            reason: args.reason.clone(),
        };
        (serial, revoked)
    };
    let revocations: Vec<_> = known.into_iter().map(revocation).collect();
    let added = store.by(operator()).revoke(&revocations)?;

    let line = |(serial, revoked): &(Serial, Revoked)| RevokedLine {
        serial: serial.to_string(),
        identity: revoked.identity.clone(),
        revoked: if added.contains(serial) {
            "now"
        } else {
            "before"
        },
    };
    let lines: Vec<_> = revocations.iter().map(line).collect();
    let text = Text::default()
        .table(&lines)
        .line("")
        .line("Servers turn it away within a second, and end its sessions within two; connectors hear of")
        .line("it from their servers. Its holder needs another certificate: pgseal-keymaker cert …");
    output.answer(&lines, &text)
}

/// The recorded certificates of a holder that have not expired.
fn valid_of(store: &Store, holder: &str) -> Result<Vec<Certificate>, Error> {
    let mut found = Vec::new();
    let now = Timestamp::now();
    each(store, |one| {
        if one.identity == holder && one.expires >= now {
            found.push(one);
        }
    })?;
    Ok(found)
}

/// A certificate in a list.
#[derive(Clone, Serialize)]
struct CertificateLine {
    identity: String,
    serial: String,
    recorded: String,
    expires: String,
    /// When; `null` if it is not.
    revoked: Option<String>,
    /// Why it was revoked, if that was said.
    reason: Option<String>,
    #[serde(skip)]
    state: String,
}

/// A certificate with its line, made while the list of revocations was at hand.
struct Listed(Certificate, CertificateLine);

impl From<&Listed> for CertificateLine {
    fn from(listed: &Listed) -> Self {
        listed.1.clone()
    }
}

impl CertificateLine {
    fn of(certificate: &Certificate, list: &Revocations) -> Self {
        let revoked = list.certificates.get(&certificate.serial);
        let now = Timestamp::now();
        let state = match revoked {
            Some(revoked) => format!("revoked {}", revoked.at),
            None if certificate.expires < now => "expired".into(),
            None => format!("valid for {}", roughly(certificate.expires.since(now))),
        };
        CertificateLine {
            identity: certificate.identity.clone(),
            serial: certificate.serial.to_string(),
            recorded: certificate.recorded.to_string(),
            expires: certificate.expires.to_string(),
            revoked: revoked.map(|revoked| revoked.at.to_string()),
            reason: revoked.and_then(|revoked| revoked.reason.clone()),
            state,
        }
    }
}

impl Line for CertificateLine {
    const COLUMNS: &'static [&'static str] = &["IDENTITY", "SERIAL", "EXPIRES", "STATE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.identity.clone(),
            self.serial.clone(),
            self.expires.clone(),
            self.state.clone(),
        ]
    }
}

#[derive(Serialize)]
struct RevokedLine {
    serial: String,
    /// `null` if it is not known.
    identity: Option<String>,
    /// `now`, or `before` this.
    revoked: &'static str,
}

impl Line for RevokedLine {
    const COLUMNS: &'static [&'static str] = &["IDENTITY", "SERIAL", "REVOKED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.identity.clone().unwrap_or_else(|| "unknown".into()),
            self.serial.clone(),
            self.revoked.into(),
        ]
    }
}

#[derive(Serialize)]
struct ShowAnswer {
    identity: String,
    serial: String,
    fingerprint: String,
    issuer: String,
    from: String,
    expires: String,
    /// `null` without a store.
    recorded: Option<bool>,
    revoked: Option<String>,
}
