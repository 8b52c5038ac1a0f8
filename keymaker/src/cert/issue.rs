//! `cert client`, `cert server`, `cert admin` and `cert sign`.

use std::path::{Path, PathBuf};

use envelope::ClientId;
use keystore::{Certificate, Secret, Store, Timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde::Serialize;
use zeroize::Zeroizing;

use super::expiry::{warn_of_authority, warn_of_expiry};
use super::request;
use crate::Error;
use crate::authority::{self, Authority, Issued};
use crate::cli::cert::{CertArgs, CertAuthority, CertSign, IssueArgs, Role};
use crate::files::{NewFiles, is_taken, must_be_free, must_be_ours};
use crate::output::{Output, Text};
use crate::source::{self, open_store, operator};

pub fn with_key(role: Role, args: CertArgs, output: &mut Output<'_>) -> Result<(), Error> {
    let certificate_path = place(&args.issue.out_dir, &args.id, "crt");
    let key_path = place(&args.issue.out_dir, &args.id, "key");
    must_be_free(&certificate_path)?;
    // A key without a certificate is what an interrupted attempt leaves behind.
    let kept = match is_taken(&key_path) {
        true => Some(kept_key(&key_path)?),
        false => None,
    };
    let key = match &kept {
        Some(key) => key,
        None => &Zeroizing::new(KeyPair::generate()?),
    };
    let out_dir = args.issue.out_dir.clone();
    let issue = issue(role, &args.id, args.issue, &**key, output)?;

    let mut files = NewFiles::default();
    files.directory_of(&out_dir.join("certificate"))?;
    if kept.is_none() {
        let key_pem = Zeroizing::new(key.serialize_pem());
        files.file(&key_path, 0o600, key_pem.as_bytes())?;
    }
    files.file(&certificate_path, 0o644, issue.issued.pem.as_bytes())?;
    let made = Made {
        id: &args.id,
        certificate: &certificate_path,
        key: Some(&key_path),
        issue: &issue,
    };
    answer(made, output)?;
    files.keep();
    Ok(())
}

pub fn for_request(args: CertSign, output: &mut Output<'_>) -> Result<(), Error> {
    let certificate_path = place(&args.issue.out_dir, &args.id, "crt");
    must_be_free(&certificate_path)?;

    let public_key = request::public_key_of(&args.csr)?;
    let issue = issue(args.role, &args.id, args.issue, &public_key, output)?;

    let mut files = NewFiles::default();
    files.directory_of(&certificate_path)?;
    files.file(&certificate_path, 0o644, issue.issued.pem.as_bytes())?;
    let made = Made {
        id: &args.id,
        certificate: &certificate_path,
        key: None,
        issue: &issue,
    };
    answer(made, output)?;
    files.keep();
    Ok(())
}

pub fn authority(args: CertAuthority, output: &mut Output<'_>) -> Result<(), Error> {
    let directory = args.authority.ca_dir;
    let (certificate, key) = (
        directory.join(authority::CERTIFICATE),
        directory.join(authority::KEY),
    );
    must_be_free(&certificate)?;
    // A key without a certificate is what an interrupted attempt leaves behind.
    let passphrase = match is_taken(&key) {
        true => {
            must_be_ours(&key)?;
            source::passphrase(args.authority.passphrase)?
        }
        false => source::new_passphrase(args.authority.passphrase)?,
    };
    let mut files = NewFiles::default();
    files.directory(&directory, 0o700)?;
    let authority = Authority::in_directory(&directory, passphrase, &mut files)?;
    let answer = AuthorityAnswer {
        ca_certificate: certificate.display().to_string(),
        ca_key: key.display().to_string(),
        ca_fingerprint: authority.fingerprint(),
        ca_expires: authority.expires().to_string(),
    };
    let text = Text::default()
        .fields(&[
            ("CA certificate", answer.ca_certificate.clone()),
            ("CA key", format!("{}, encrypted", answer.ca_key)),
            ("CA fingerprint", answer.ca_fingerprint.clone()),
            ("CA expires", answer.ca_expires.clone()),
        ])
        .line("")
        .line(
            "Next: servers and connectors must trust it, beside the old one, before they are given",
        )
        .line("certificates that it has signed.");
    output.answer(&answer, &text)?;
    files.keep();
    Ok(())
}

#[derive(Serialize)]
struct AuthorityAnswer {
    ca_certificate: String,
    ca_key: String,
    ca_fingerprint: String,
    ca_expires: String,
}

/// Issues a certificate, and records it where a store is given: before anybody has it, so that none
/// is about that the store does not know.
fn issue(
    role: Role,
    id: &ClientId,
    args: IssueArgs,
    public_key: &impl PublicKeyData,
    output: &mut Output<'_>,
) -> Result<Issue, Error> {
    let store = args.store.0.map(open_store).transpose()?;
    let is_known = match (role, &store) {
        (Role::Client, Some(store)) => store.client(id)?.is_some(),
        (Role::Client, None) => false,
        (Role::Server | Role::Admin, _) => true,
    };
    let passphrase = || source::passphrase(args.authority.passphrase);
    let authority = Authority::unlock(&args.authority.ca_dir, passphrase)?;
    let issued = authority.issue(role, id, args.days, public_key)?;
    warn_of_authority(authority.expires(), output);
    if let Some(store) = &store {
        store.by(operator()).record_certificate(&Certificate {
            serial: issued.serial.clone(),
            identity: format!("{}/{id}", role.name()),
            recorded: Timestamp::now(),
            expires: issued.expires,
        })?;
        warn_of_expiry(store, Some(&issued.serial), output)?;
    }
    Ok(Issue {
        issued,
        store,
        is_known,
    })
}

/// A certificate that was issued, and what the store knows.
struct Issue {
    issued: Issued,
    /// Where it is recorded.
    store: Option<Store>,
    /// Nothing has to be added to the store for its holder.
    is_known: bool,
}

/// The key in a file of ours that no other can read; any other file is in the way.
fn kept_key(path: &Path) -> Result<Zeroizing<KeyPair>, Error> {
    let in_the_way = || keystore::Error::Exists { path: path.into() };
    must_be_ours(path)?;
    let text = Secret::from_file(path).map_err(|_| in_the_way())?;
    match KeyPair::from_pem(text.expose_secret()).map(Zeroizing::new) {
        Ok(key) if key.algorithm() == &PKCS_ECDSA_P256_SHA256 => Ok(key),
        _ => Err(in_the_way().into()),
    }
}

fn place(directory: &Path, id: &ClientId, suffix: &str) -> PathBuf {
    // An id holds no `/`, so it cannot lead out of the directory.
    directory.join(format!("{id}.{suffix}"))
}

/// What was made, and where.
struct Made<'a> {
    id: &'a ClientId,
    certificate: &'a Path,
    /// `None` for a key that was made elsewhere.
    key: Option<&'a Path>,
    issue: &'a Issue,
}

#[derive(Serialize)]
struct Answer<'a> {
    identity: &'a str,
    certificate: String,
    /// `null` for a key that was made elsewhere.
    key: Option<String>,
    fingerprint: &'a str,
    serial: &'a str,
    expires: String,
    /// Whether the store knows it.
    recorded: bool,
}

fn answer(made: Made<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    let issued = &made.issue.issued;
    let answer = Answer {
        identity: &issued.identity,
        certificate: made.certificate.display().to_string(),
        key: made.key.map(|key| key.display().to_string()),
        fingerprint: &issued.fingerprint,
        serial: issued.serial.as_str(),
        expires: issued.expires.to_string(),
        recorded: made.issue.store.is_some(),
    };
    let mut fields = vec![
        ("identity", issued.identity.clone()),
        ("certificate", answer.certificate.clone()),
    ];
    fields.extend(answer.key.clone().map(|key| ("key", key)));
    fields.extend([
        ("fingerprint", issued.fingerprint.clone()),
        ("serial", issued.serial.to_string()),
        ("expires", answer.expires.clone()),
    ]);
    let mut text = Text::default().fields(&fields).line("");
    text = match &made.issue.store {
        Some(store) => text.line(&format!("Recorded in {}.", store.path().display())),
        None => text.line(&format!(
            "Not recorded in a store; to revoke it by name later: pgseal-keymaker cert record {}",
            answer.certificate
        )),
    };
    if !made.issue.is_known {
        text = text.line(&format!(
            "The store must know the client too: pgseal-keymaker client add {}",
            made.id
        ));
    }
    output.answer(&answer, &text)
}
