//! The TLS configurations of both ends of a tunnel.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::material::{Material, MaterialError};
use crate::{Identity, IdentityError, Role};

/// PostgreSQL's ALPN protocol name: a data session.
pub const ALPN_POSTGRESQL: &[u8] = b"postgresql";
/// The control API.
pub const ALPN_HTTP: &[u8] = b"http/1.1";

/// Which server a connector accepts: any of role `server`, or one of these ids.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Empty: any id.
    pub ids: Vec<String>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The server's end: TLS 1.3, a client certificate from the CA, one of the two ALPN names where the
/// peer offers any.
///
/// # Errors
/// The key does not fit the certificate, or the CA's certificates cannot be used.
pub fn server_config(material: Material) -> Result<Arc<ServerConfig>, MaterialError> {
    let provider = provider();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(material.roots.into(), provider.clone())
            .build()
            .map_err(|cause| MaterialError::Verifier(cause.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|cause| MaterialError::Verifier(cause.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(material.chain, material.key)
        .map_err(|cause| MaterialError::of_key(material.key_path, cause))?;
    config.alpn_protocols = vec![ALPN_POSTGRESQL.to_vec(), ALPN_HTTP.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// A connector's end: TLS 1.3, its own certificate, and a server that the CA has signed as one.
///
/// # Errors
/// The key does not fit the certificate.
pub fn client_config(
    material: Material,
    expected: Expected,
    alpn: &[u8],
) -> Result<Arc<ClientConfig>, MaterialError> {
    let provider = provider();
    let verifier = RoleVerifier {
        roots: material.roots,
        expected,
        provider: provider.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|cause| MaterialError::Verifier(cause.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(material.chain, material.key)
        .map_err(|cause| MaterialError::of_key(material.key_path, cause))?;
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Checks a server by its chain and by the role in its URI name. Its address is no part of who it
/// is: it may stand behind a balancer, and move.
#[derive(Debug)]
struct RoleVerifier {
    roots: RootCertStore,
    expected: Expected,
    provider: Arc<CryptoProvider>,
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
        // The configuration offers TLS 1.3 alone.
        Err(rustls::Error::General("TLS 1.2 is not spoken here".into()))
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
