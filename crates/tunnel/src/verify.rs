//! How each end checks the other's certificate: its chain, its role where that matters, and that
//! it is not revoked.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::config::Expected;
use crate::{Identity, IdentityError, Revoked, Role, Serial};

/// Refuses a peer's certificate that is revoked, or whose serial number cannot be read.
fn check_not_revoked(
    revoked: &Revoked,
    end_entity: &CertificateDer<'_>,
) -> Result<(), CertificateError> {
    let serial = Serial::of(end_entity).ok_or(CertificateError::BadEncoding)?;
    if revoked.contains(&serial) {
        return Err(CertificateError::Revoked);
    }
    Ok(())
}

/// Checks whoever connects to a server.
#[derive(Debug)]
pub(crate) struct ConnectingVerifier {
    /// Checks the chain.
    pub chain: Arc<dyn ClientCertVerifier>,
    pub revoked: Revoked,
}

impl ClientCertVerifier for ConnectingVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, now)?;
        check_not_revoked(&self.revoked, end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Checks a server by its chain and by the role in its URI name. Its address is no part of who it
/// is: it may stand behind a balancer, and move.
#[derive(Debug)]
pub(crate) struct RoleVerifier {
    pub roots: RootCertStore,
    pub expected: Expected,
    pub revoked: Revoked,
    pub provider: Arc<CryptoProvider>,
}

/// The peer's certificate is good, but not for this.
#[derive(thiserror::Error)]
enum WrongPeer {
    #[error("{0}")]
    Nobody(#[from] IdentityError),
    #[error("the peer is {0}, and not a server")]
    Role(Identity),
    #[error("the peer is {0}, which server_ids does not name")]
    Id(Identity),
}

/// rustls shows the cause of a refusal in this form only.
impl std::fmt::Debug for WrongPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl RoleVerifier {
    fn who(&self, end_entity: &CertificateDer<'_>) -> Result<(), WrongPeer> {
        let identity = Identity::of(end_entity)?;
        if identity.role != Role::Server {
            return Err(WrongPeer::Role(identity));
        }
        if !self.expected.ids.is_empty() && !self.expected.ids.contains(&identity.id) {
            return Err(WrongPeer::Id(identity));
        }
        Ok(())
    }
}

impl ServerCertVerifier for RoleVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        check_not_revoked(&self.revoked, end_entity)?;
        match self.who(end_entity) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(wrong) => Err(CertificateError::Other(OtherError(Arc::new(wrong))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
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

/// Both configurations offer TLS 1.3 alone.
fn no_tls12() -> rustls::Error {
    rustls::Error::General("TLS 1.2 is not spoken here".into())
}
