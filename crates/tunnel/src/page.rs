//! TLS of a page for browsers: a certificate that they know, and none asked of them.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;

use crate::config::ALPN_HTTP;
use crate::material::{MaterialError, MaterialFile, read_certificates, read_key};

/// What a page shows browsers, PEM.
#[derive(Debug, Clone)]
pub struct PageFiles {
    /// `https.certificate`, and any intermediates behind it.
    pub certificate: PathBuf,
    /// `https.private_key`; no one but its owner may read it.
    pub private_key: PathBuf,
}

/// TLS 1.3 or 1.2, HTTP/1.1.
///
/// # Errors
/// A file that is missing, is not PEM, is empty, or is readable by others (the key).
pub fn page_config(files: PageFiles) -> Result<Arc<ServerConfig>, MaterialError> {
    let chain = read_certificates(&MaterialFile {
        key: "https.certificate",
        path: files.certificate,
    })?;
    let key_file = MaterialFile {
        key: "https.private_key",
        path: files.private_key,
    };
    let key = read_key(&key_file)?;
    let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|cause| MaterialError::Verifier(cause.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|cause| MaterialError::of_key(key_file, cause))?;
    config.alpn_protocols = vec![ALPN_HTTP.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
