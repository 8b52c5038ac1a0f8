//! The TLS configurations of both ends of a tunnel.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ServerConfig};

use crate::Revoked;
use crate::live::Setup;
use crate::material::{Material, MaterialError};
use crate::verify::{ConnectingVerifier, RoleVerifier};

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

/// The server's end: TLS 1.3, a client certificate from the CA that is not revoked, one of the two
/// ALPN names where the peer offers any.
///
/// # Errors
/// The key does not fit the certificate, or the CA's certificates cannot be used.
pub fn server_setup(
    material: Material,
    revoked: &Revoked,
) -> Result<Setup<ServerConfig>, MaterialError> {
    let provider = provider();
    let chain =
        WebPkiClientVerifier::builder_with_provider(material.roots.into(), provider.clone())
            .build()
            .map_err(|cause| MaterialError::Verifier(cause.to_string()))?;
    let verifier = ConnectingVerifier {
        chain,
        revoked: revoked.clone(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|cause| MaterialError::Verifier(cause.to_string()))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(material.chain, material.key)
        .map_err(|cause| MaterialError::of_key(material.key_file, cause))?;
    config.alpn_protocols = vec![ALPN_POSTGRESQL.to_vec(), ALPN_HTTP.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Setup {
        config: Arc::new(config),
        identity: material.identity,
        certificates: material.certificates,
    })
}

/// A connector's end: TLS 1.3, its own certificate, and a server that the CA has signed as one and
/// that is not revoked. What is asked for by ALPN is said when it [connects](crate::connect).
///
/// # Errors
/// The key does not fit the certificate.
pub fn client_setup(
    material: Material,
    expected: Expected,
    revoked: &Revoked,
) -> Result<Setup<ClientConfig>, MaterialError> {
    let provider = provider();
    let verifier = RoleVerifier {
        roots: material.roots,
        expected,
        revoked: revoked.clone(),
        provider: provider.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|cause| MaterialError::Verifier(cause.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(material.chain, material.key)
        .map_err(|cause| MaterialError::of_key(material.key_file, cause))?;
    config.resumption = Resumption::disabled();
    Ok(Setup {
        config: Arc::new(config),
        identity: material.identity,
        certificates: material.certificates,
    })
}
