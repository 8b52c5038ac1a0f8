//! How etcd is reached and who asks: files and names in the configuration, read into what TLS and a
//! login need.
//!
//! The way is encrypted unless it ends on this host: without a CA to check etcd by, only loopback
//! addresses are asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::error::EtcdError;
use crate::Error;
use crate::address::EtcdAddress;
use crate::secret::Secret;

/// How etcd is reached and who asks. As it comes: in clear, by nobody, on this host only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EtcdSettings {
    /// CA certificates that etcd's members are checked against, PEM. TLS is used if it is given.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The certificate shown to etcd, PEM.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM, closed to group and others.
    #[serde(default)]
    pub private_key: Option<PathBuf>,
    /// The user in etcd.
    #[serde(default)]
    pub user: Option<String>,
    /// The file with the user's password, closed to group and others.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// A user of etcd with its password.
pub(super) struct Login {
    pub user: String,
    pub password: Secret,
}

impl EtcdSettings {
    /// The user and its password, if there is one.
    pub(super) fn login(&self) -> Result<Option<Login>, Error> {
        match (&self.user, &self.password_file) {
            (None, None) => Ok(None),
            (Some(user), Some(file)) => Ok(Some(Login {
                user: user.clone(),
                password: Secret::from_file(file)?,
            })),
            _ => Err(EtcdError::Settings("etcd.user and etcd.password_file go together").into()),
        }
    }

    /// What TLS needs; `None` for plain HTTP, which is for this host.
    pub(super) fn tls(&self, address: &EtcdAddress) -> Result<Option<TlsConfig>, Error> {
        let Some(ca) = &self.ca else {
            if self.certificate.is_some() || self.private_key.is_some() {
                return Err(EtcdError::Settings(
                    "etcd.certificate is for TLS, which needs etcd.ca to know etcd by",
                )
                .into());
            }
            if address.endpoints().iter().all(|one| one.is_loopback()) {
                return Ok(None);
            }
            return Err(EtcdError::Settings(
                "etcd is asked over the network only with TLS; give its CA (etcd.ca)",
            )
            .into());
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = certificates(ca)?;
        let own = match (&self.certificate, &self.private_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificates(certificate)?, key)),
            _ => {
                return Err(EtcdError::Settings(
                    "etcd.certificate and etcd.private_key go together",
                )
                .into());
            }
        };
        let own = own
            .map(|(chain, key)| identity(&provider, ca, &roots, chain, key))
            .transpose()?;
        let roots: Vec<_> = roots.iter().map(owned).collect();
        Ok(Some(
            TlsConfig::builder()
                .root_certs(RootCerts::new_with_certs(&roots))
                .client_cert(own)
                .unversioned_rustls_crypto_provider(provider)
                .build(),
        ))
    }
}

/// The certificate to show, once rustls has found that its key fits: later it would be a panic.
fn identity(
    provider: &Arc<CryptoProvider>,
    ca: &Path,
    roots: &[CertificateDer<'static>],
    chain: Vec<CertificateDer<'static>>,
    key_file: &Path,
) -> Result<ClientCert, Error> {
    let wrong = |path: &Path, what: String| EtcdError::Material {
        path: path.into(),
        what,
    };
    let pem = Secret::from_file(key_file)?;
    let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
        .map_err(|_| wrong(key_file, "holds no private key in PEM".into()))?;
    let mut store = RootCertStore::empty();
    for root in roots {
        store
            .add(root.clone())
            .map_err(|error| wrong(ca, error.to_string()))?;
    }
    let shown: Vec<_> = chain.iter().map(owned).collect();
    let private = PrivateKey::from_pem(pem.expose_secret().as_bytes())
        .map_err(|_| wrong(key_file, "holds no private key in PEM".into()))?;
    ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(key_file, error.to_string()))?
        .with_root_certificates(store)
        .with_client_auth_cert(chain, key)
        .map_err(|error| {
            wrong(
                key_file,
                format!("{error}, or does not fit the certificate"),
            )
        })?;
    Ok(ClientCert::new_with_certs(&shown, private))
}

fn owned(certificate: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

/// The certificates in a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |what: String| EtcdError::Material {
        path: path.into(),
        what,
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(wrong("holds no certificate in PEM".into()).into());
    }
    let mut store = RootCertStore::empty();
    let (_, unreadable) = store.add_parsable_certificates(found.iter().cloned());
    if unreadable > 0 {
        return Err(wrong("holds a certificate that cannot be read".into()).into());
    }
    Ok(found)
}
