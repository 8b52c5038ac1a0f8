//! Certificates in files: what they say, of those that this program makes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use envelope::ClientId;
use keystore::{Certificate, Serial, Timestamp};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::X509Certificate;

use crate::Error;
use crate::authority::fingerprint;
use crate::cli::Role;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// A certificate that was read.
pub struct ReadCertificate {
    pub serial: Serial,
    /// `client/<id>`, `server/<id>` or `admin/<id>`.
    pub identity: String,
    pub from: Timestamp,
    pub expires: Timestamp,
    pub fingerprint: String,
    /// The subject of who signed it, for people.
    pub issuer: String,
}

impl ReadCertificate {
    /// The first certificate in a file in PEM.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File {
            action: "read",
            path: path.into(),
            source,
        };
        let unfit = |what| Error::Unfit {
            path: path.into(),
            what,
        };
        let mut text = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
        let not_one = || unfit("is not a certificate in PEM");
        let (_, pem) = parse_x509_pem(&text).map_err(|_| not_one())?;
        let certificate = pem.parse_x509().map_err(|_| not_one())?;
        let foreign = || unfit("is no certificate of a client, server or admin of pgseal");
        let time = |seconds: i64| {
            let seconds = u64::try_from(seconds).ok();
            seconds
                .and_then(Timestamp::from_seconds)
                .ok_or_else(foreign)
        };
        Ok(ReadCertificate {
            serial: Serial::from_bytes(certificate.raw_serial()).map_err(|_| foreign())?,
            identity: identity(&certificate).ok_or_else(foreign)?,
            from: time(certificate.validity().not_before.timestamp())?,
            expires: time(certificate.validity().not_after.timestamp())?,
            fingerprint: fingerprint(&pem.contents),
            issuer: certificate.issuer().to_string(),
        })
    }

    /// As the store records it, now.
    pub fn to_record(&self) -> Certificate {
        Certificate {
            serial: self.serial.clone(),
            identity: self.identity.clone(),
            recorded: Timestamp::now(),
            expires: self.expires,
        }
    }
}

/// Whose certificate it is, if its only name is one of ours.
fn identity(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.extensions().iter().find_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        }
    })?;
    let [GeneralName::URI(uri)] = names[..] else {
        return None;
    };
    let identity = uri.strip_prefix("pgseal://")?;
    let (role, id) = identity.split_once('/')?;
    let is_role = [Role::Client, Role::Server, Role::Admin]
        .iter()
        .any(|known| known.name() == role);
    (is_role && id.parse::<ClientId>().is_ok()).then(|| identity.to_owned())
}
