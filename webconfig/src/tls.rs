//! The page's certificates: the one for servers, of the role admin, and the one for browsers. Read at
//! the start, and again on SIGHUP.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use daemon::Failure;
use rustls::ServerConfig;
use tunnel::{
    ClientTls, Expected, Material, MaterialPaths, PageFiles, Revoked, Role, Setup, page_config,
};

use crate::config::Config;

/// What new connections use.
pub struct Tls {
    /// To servers.
    pub client: Arc<ClientTls>,
    /// Of browsers; `None` where they come in clear.
    https: RwLock<Option<Arc<ServerConfig>>>,
}

/// What one reading of the files gave.
pub struct Read {
    client: Setup<rustls::ClientConfig>,
    https: Option<Arc<ServerConfig>>,
}

/// Reads the files that the configuration names, whole or not at all.
///
/// # Errors
/// One of them is not what it should be; says which, by key and path.
pub fn read(config: &Config, revoked: &Revoked) -> Result<Read, Failure> {
    let paths = MaterialPaths {
        certificate: config.tls.certificate.clone(),
        private_key: config.tls.private_key.clone(),
        ca: config.tls.ca.clone(),
    };
    let usage = |error: tunnel::MaterialError| Failure::Usage(error.to_string());
    let material = Material::load(&paths, Role::Admin, SystemTime::now()).map_err(usage)?;
    let client = tunnel::client_setup(material, Expected::default(), revoked).map_err(usage)?;
    let https = match (&config.https.certificate, &config.https.private_key) {
        (Some(certificate), Some(private_key)) => {
            let files = PageFiles {
                certificate: certificate.clone(),
                private_key: private_key.clone(),
            };
            Some(page_config(files).map_err(usage)?)
        }
        _ => None,
    };
    Ok(Read { client, https })
}

impl Tls {
    /// At the program's start.
    #[must_use]
    pub fn new(read: Read) -> Self {
        Self {
            client: Arc::new(ClientTls::new(read.client)),
            https: RwLock::new(read.https),
        }
    }

    /// From now on new connections use this.
    ///
    /// # Errors
    /// The certificate for servers is another admin's. Nothing is exchanged then.
    pub fn exchange(&self, read: Read) -> Result<(), Failure> {
        self.client
            .exchange(read.client)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        *self.https.write().unwrap_or_else(PoisonError::into_inner) = read.https;
        Ok(())
    }

    /// For a browser that comes now.
    #[must_use]
    pub fn https(&self) -> Option<Arc<ServerConfig>> {
        let https = self.https.read().unwrap_or_else(PoisonError::into_inner);
        https.clone()
    }
}
