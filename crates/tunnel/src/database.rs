//! TLS to a database, in libpq's modes: encrypted and not verified, or verified by its CA, or by
//! its CA and its name; with a certificate of our own or without.
//!
//! Which mode it is, and what name a database should have, is for who connects to say.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::material::{MaterialError, MaterialFile, read_certificates, read_key};

/// How a database's certificate is checked, or that of who stands in for it. CAs are in a PEM file.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Not at all: this keeps eavesdroppers out, but not somebody who can stand in for the
    /// database. libpq's `require`.
    Anybody,
    /// One of these CAs has made it. libpq's `verify-ca`.
    Ca(MaterialFile),
    /// And it is for the name that is connected to, by its subject alternative names: a common name
    /// counts for nothing (RFC 9525). libpq's `verify-full`.
    CaAndName(MaterialFile),
}

/// The certificate that a database gets to see, and its private key, both PEM.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// The certificate, and any intermediates behind it.
    pub certificate: PathBuf,
    /// Its private key; no one but its owner may read it.
    pub private_key: PathBuf,
}

/// TLS 1.2 or 1.3 to a database, checked as `trust` says.
///
/// # Errors
/// A file cannot be used.
pub fn database_config(
    trust: Trust,
    client: Option<ClientFiles>,
) -> Result<Arc<ClientConfig>, MaterialError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let (roots, name) = match trust {
        Trust::Anybody => (None, false),
        Trust::Ca(ca) => (Some(roots(ca)?), false),
        Trust::CaAndName(ca) => (Some(roots(ca)?), true),
    };
    let verifier = DatabaseVerifier {
        roots,
        name,
        provider: provider.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| MaterialError::Verifier(cause.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let chain = read_certificates(&MaterialFile {
                key: "database.certificate",
                path: files.certificate,
            })?;
            let key_file = MaterialFile {
                key: "database.private_key",
                path: files.private_key,
            };
            let key = read_key(&key_file)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|cause| MaterialError::of_key(key_file, cause))?
        }
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn roots(file: MaterialFile) -> Result<RootCertStore, MaterialError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(&file)? {
        roots.add(certificate).map_err(|cause| MaterialError::Tls {
            file: file.clone(),
            cause,
        })?;
    }
    Ok(roots)
}

/// Checks as much as it was told to; always that the peer holds its certificate's key.
#[derive(Debug)]
struct DatabaseVerifier {
    /// `None`: any certificate will do.
    roots: Option<RootCertStore>,
    /// Whether the name counts.
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for DatabaseVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(roots) = &self.roots else {
            return Ok(ServerCertVerified::assertion());
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            roots,
            intermediates,
            now,
            algorithms,
        )?;
        if self.name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
