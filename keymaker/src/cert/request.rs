//! Certificate signing requests (PKCS#10, RFC 2986).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;

use crate::Error;

/// The largest signing request that is read, in bytes.
const MAX_REQUEST: u64 = 64 * 1024;

/// The public key of a signing request, once its signature has proved the private one.
pub fn public_key_of(path: &Path) -> Result<SubjectPublicKeyInfo, Error> {
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
