//! `cert client`, `cert server`, `cert admin` and `cert sign`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use envelope::ClientId;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo};
use serde::Serialize;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use crate::Error;
use crate::authority::{Authority, Issued};
use crate::cli::{self, CertArgs, CertSign, IssueArgs, Role};
use crate::files::{NewFiles, must_be_free};
use crate::output::{Output, Text};
use crate::source;

/// The largest signing request that is read, in bytes.
const MAX_REQUEST: u64 = 64 * 1024;

pub fn run(command: cli::Cert, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Cert::Client(args) => certificate_and_key(Role::Client, args, output),
        cli::Cert::Server(args) => certificate_and_key(Role::Server, args, output),
        cli::Cert::Admin(args) => certificate_and_key(Role::Admin, args, output),
        cli::Cert::Sign(args) => certificate_for_request(args, output),
    }
}

fn certificate_and_key(role: Role, args: CertArgs, output: &mut Output<'_>) -> Result<(), Error> {
    let certificate_path = place(&args.issue.out_dir, &args.id, "crt");
    let key_path = place(&args.issue.out_dir, &args.id, "key");
    must_be_free(&certificate_path)?;
    must_be_free(&key_path)?;

    let key = Zeroizing::new(KeyPair::generate()?);
    let issued = issue(role, &args.id, args.issue, &*key)?;

    let mut files = NewFiles::default();
    files.directory_of(&key_path)?;
    let key_pem = Zeroizing::new(key.serialize_pem());
    files.file(&key_path, 0o600, key_pem.as_bytes())?;
    files.file(&certificate_path, 0o644, issued.pem.as_bytes())?;
    answer(
        role,
        &args.id,
        &certificate_path,
        Some(&key_path),
        &issued,
        output,
    )?;
    files.keep();
    Ok(())
}

fn certificate_for_request(args: CertSign, output: &mut Output<'_>) -> Result<(), Error> {
    let certificate_path = place(&args.issue.out_dir, &args.id, "crt");
    must_be_free(&certificate_path)?;

    let public_key = public_key_of_request(&args.csr)?;
    let issued = issue(args.role, &args.id, args.issue, &public_key)?;

    let mut files = NewFiles::default();
    files.directory_of(&certificate_path)?;
    files.file(&certificate_path, 0o644, issued.pem.as_bytes())?;
    answer(
        args.role,
        &args.id,
        &certificate_path,
        None,
        &issued,
        output,
    )?;
    files.keep();
    Ok(())
}

fn issue(
    role: Role,
    id: &ClientId,
    args: IssueArgs,
    public_key: &impl PublicKeyData,
) -> Result<Issued, Error> {
    let passphrase = || source::passphrase(args.authority.passphrase);
    let authority = Authority::unlock(&args.authority.ca_dir, passphrase)?;
    authority.issue(role, id, args.days, public_key)
}

/// The public key of a signing request, once its signature has proved the private one.
fn public_key_of_request(path: &Path) -> Result<SubjectPublicKeyInfo, Error> {
    let unfit = |what| Error::Unfit {
        path: path.into(),
        what,
    };
    let failed = |source| Error::File {
        action: "read",
        path: path.into(),
        source,
    };
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_REQUEST + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_REQUEST) {
        return Err(unfit("is too large for a certificate signing request"));
    }
    let not_a_request = || unfit("is not a certificate signing request (PKCS#10, PEM)");
    let (_, pem) = parse_x509_pem(&text).map_err(|_| not_a_request())?;
    if !["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"].contains(&pem.label.as_str()) {
        return Err(not_a_request());
    }
    let (rest, request) =
        X509CertificationRequest::from_der(&pem.contents).map_err(|_| not_a_request())?;
    if !rest.is_empty() {
        return Err(not_a_request());
    }
    let public_key = request.certification_request_info.subject_pki.raw;
    let public_key = SubjectPublicKeyInfo::from_der(public_key)
        .ok()
        .filter(|key| key.algorithm() == &PKCS_ECDSA_P256_SHA256)
        .ok_or_else(|| unfit("asks for a certificate of another key than P-256; make a new key"))?;
    request
        .verify_signature()
        .map_err(|_| unfit("is not signed with the key it is for; make the request again"))?;
    Ok(public_key)
}

fn place(directory: &Path, id: &ClientId, suffix: &str) -> PathBuf {
    // An id holds no `/`, so it cannot lead out of the directory.
    directory.join(format!("{id}.{suffix}"))
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
}

fn answer(
    role: Role,
    id: &ClientId,
    certificate: &Path,
    key: Option<&Path>,
    issued: &Issued,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let answer = Answer {
        identity: &issued.identity,
        certificate: certificate.display().to_string(),
        key: key.map(|key| key.display().to_string()),
        fingerprint: &issued.fingerprint,
        serial: &issued.serial,
        expires: issued.expires.to_string(),
    };
    let mut fields = vec![
        ("identity", issued.identity.clone()),
        ("certificate", answer.certificate.clone()),
    ];
    fields.extend(answer.key.clone().map(|key| ("key", key)));
    fields.extend([
        ("fingerprint", issued.fingerprint.clone()),
        ("expires", answer.expires.clone()),
    ]);
    let mut text = Text::default().fields(&fields);
    if role == Role::Client {
        text = text.line("").line(&format!(
            "The store must know the client too: pgseal-keymaker client add {id}"
        ));
    }
    output.answer(&answer, &text)
}
