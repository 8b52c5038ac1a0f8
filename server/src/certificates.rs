//! The server's own certificate, key and CA: read at the start and again on SIGHUP, and watched
//! for their end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::{ClientConfig, ServerConfig};
use tunnel::{
    Certificates, Expected, Material, MaterialError, MaterialPaths, Revoked, Role, Setup,
};

use crate::config::Config;
use crate::shared::Shared;

/// How often certificates that expire soon are told of.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Both ends of TLS that a server has: to those that connect to it, and to its peers.
pub struct Setups {
    /// The one.
    pub server: Setup<ServerConfig>,
    /// The other.
    pub client: Setup<ClientConfig>,
}

/// Reads the files that the configuration names, whole or not at all.
///
/// # Errors
/// One of them is not what it should be; says which, by key and path.
pub fn read(config: &Config, revoked: &Revoked) -> Result<Setups, MaterialError> {
    let paths = MaterialPaths {
        certificate: config.tls.certificate.clone(),
        private_key: config.tls.private_key.clone(),
        ca: config.tls.ca.clone(),
    };
    let material = || Material::load(&paths, Role::Server, SystemTime::now());
    Ok(Setups {
        server: tunnel::server_setup(material()?, revoked)?,
        client: tunnel::client_setup(material()?, Expected::default(), revoked)?,
    })
}

/// Says daily which certificates expire soon; the first time now.
pub async fn watch(shared: Arc<Shared>) {
    loop {
        warn_of_expiry(&shared.tls.setup().certificates);
        tokio::time::sleep(DAY).await;
    }
}

/// Says which certificates expire soon.
pub fn warn_of_expiry(certificates: &Certificates) {
    for it in certificates.expiring(SystemTime::now()) {
        let (certificate, expires, days) = (it.certificate, it.expires, it.days);
        if it.urgent {
            tracing::error!(
                certificate,
                expires,
                days,
                "a certificate expires this week"
            );
        } else {
            tracing::warn!(certificate, expires, days, "a certificate expires soon");
        }
    }
}
