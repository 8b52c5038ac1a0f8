//! Certificate, private key and CA from files.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Identity, IdentityError};

/// Where a program's TLS files are, all PEM.
#[derive(Debug, Clone)]
pub struct MaterialPaths {
    /// Its certificate, and any intermediates behind it.
    pub certificate: PathBuf,
    /// Its private key; no one but its owner may read it.
    pub private_key: PathBuf,
    /// The CA certificates that peers are checked against.
    pub ca: PathBuf,
}

/// What a program shows its peers, and what it checks them against.
pub struct Material {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) roots: RootCertStore,
    /// Where the key came from, for errors that come later.
    pub(crate) key_path: PathBuf,
    /// Who the certificate says this program is.
    pub identity: Identity,
}

/// A file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// It cannot be read as PEM.
    #[error("{path}: {cause}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What the PEM reader said.
        cause: pem::Error,
    },
    /// It holds nothing of the kind.
    #[error("{0}: no certificate in it")]
    Empty(PathBuf),
    /// It holds nothing of the kind.
    #[error("{0}: no private key in it")]
    NoKey(PathBuf),
    /// Others than its owner may read the private key.
    #[error("{path}: mode {mode:04o} lets others read the private key; run: chmod 600 {path}")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be looked at.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The certificate names nobody.
    #[error("{path}: {cause}")]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: IdentityError,
    },
    /// Certificate and private key are not of one pair.
    #[error("{path}: this private key does not belong to the certificate")]
    OtherKey {
        /// The private key's file.
        path: PathBuf,
    },
    /// rustls refuses it: a key of a kind it does not know, say.
    #[error("{path}: {cause}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        cause: rustls::Error,
    },
    /// The CA's certificates cannot serve to check peers.
    #[error("the CA certificates cannot be used: {0}")]
    Verifier(String),
}

impl MaterialError {
    pub(crate) fn of_key(path: PathBuf, cause: rustls::Error) -> Self {
        match cause {
            rustls::Error::InconsistentKeys(_) => Self::OtherKey { path },
            cause => Self::Tls { path, cause },
        }
    }
}

impl Material {
    /// Reads the three files.
    ///
    /// # Errors
    /// A file that is missing, is not PEM, is empty, is readable by others (the key), or a
    /// certificate that names nobody.
    pub fn load(paths: &MaterialPaths) -> Result<Self, MaterialError> {
        let chain = certificates(&paths.certificate)?;
        let identity = chain
            .first()
            .ok_or(MaterialError::Empty(paths.certificate.clone()))
            .and_then(|certificate| {
                Identity::of(certificate).map_err(|cause| MaterialError::Identity {
                    path: paths.certificate.clone(),
                    cause,
                })
            })?;
        Ok(Self {
            chain,
            key: private_key(&paths.private_key)?,
            roots: roots(&paths.ca)?,
            key_path: paths.private_key.clone(),
            identity,
        })
    }
}

/// A private key that nobody but its owner can read.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, MaterialError> {
    check_mode(path)?;
    let path = path.to_owned();
    PrivateKeyDer::from_pem_file(&path).map_err(|cause| match cause {
        pem::Error::NoItemsFound => MaterialError::NoKey(path),
        cause => MaterialError::Pem { path, cause },
    })
}

/// The CA certificates of a file.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, MaterialError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|cause| MaterialError::Tls {
            path: path.to_owned(),
            cause,
        })?;
    }
    Ok(roots)
}

/// The certificates of a file; there is at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let pem = |cause| MaterialError::Pem {
        path: path.to_owned(),
        cause,
    };
    let list = CertificateDer::pem_file_iter(path)
        .map_err(pem)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(pem)?;
    if list.is_empty() {
        Err(MaterialError::Empty(path.to_owned()))
    } else {
        Ok(list)
    }
}

fn check_mode(path: &Path) -> Result<(), MaterialError> {
    let mode = std::fs::metadata(path)
        .map_err(|cause| MaterialError::File {
            path: path.to_owned(),
            cause,
        })?
        .permissions()
        .mode()
        & 0o7777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(MaterialError::Mode {
            path: path.to_owned(),
            mode,
        })
    }
}
