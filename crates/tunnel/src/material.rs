//! Certificate, private key and CA from files.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::expiry::{self, Certificates};
use crate::{Identity, IdentityError, Role, Serial, Validity};

/// Where a program's TLS files are, all PEM.
#[derive(Debug, Clone)]
pub struct MaterialPaths {
    /// Its certificate, and any intermediates behind it.
    pub certificate: PathBuf,
    /// Its private key; no one but its owner may read it.
    pub private_key: PathBuf,
    /// The CA certificates that peers are checked against; several while a CA is exchanged.
    pub ca: PathBuf,
}

/// One of the files, by its key in the configuration, which is the same in every program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaterialFile {
    /// Such as `tls.ca`.
    pub key: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

impl std::fmt::Display for MaterialFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.path.display())
    }
}

/// What a program shows its peers, and what it checks them against.
pub struct Material {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) roots: RootCertStore,
    /// Where the key came from, for errors that come later.
    pub(crate) key_file: MaterialFile,
    pub(crate) certificates: Certificates,
    /// Who the certificate says this program is.
    pub identity: Identity,
}

/// A file is not what it should be. Nothing was changed when one is returned.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// It cannot be read as PEM.
    #[error("{file}: {cause}")]
    Pem {
        /// The file.
        file: MaterialFile,
        /// What the PEM reader said.
        cause: pem::Error,
    },
    /// It holds nothing of the kind.
    #[error("{0}: no certificate in it")]
    Empty(MaterialFile),
    /// It holds nothing of the kind.
    #[error("{0}: no private key in it")]
    NoKey(MaterialFile),
    /// Others than its owner may read the private key.
    #[error("{file}: mode {mode:04o} lets others read the private key; run: chmod 600 {}", file.path.display())]
    Mode {
        /// The file.
        file: MaterialFile,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be looked at.
    #[error("{file}: {cause}")]
    File {
        /// The file.
        file: MaterialFile,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The certificate names nobody.
    #[error("{file}: {cause}")]
    Identity {
        /// The file.
        file: MaterialFile,
        /// Why.
        cause: IdentityError,
    },
    /// The certificate is for something else.
    #[error(
        "{file}: the certificate is that of {identity}, not of a {wanted}; make one with: pgseal-keymaker cert {wanted} ID",
        wanted = wanted.name()
    )]
    WrongRole {
        /// The file.
        file: MaterialFile,
        /// Whose it is.
        identity: Identity,
        /// What it must be.
        wanted: Role,
    },
    /// The certificate is no certificate of this day: no peer would accept it.
    #[error("{file}: the certificate is valid from {from} to {to}, and not now; make a new one")]
    NotNow {
        /// The file.
        file: MaterialFile,
        /// As in RFC 3339.
        from: String,
        /// As in RFC 3339.
        to: String,
    },
    /// Certificate and private key are not of one pair.
    #[error("{file}: this private key does not belong to the certificate")]
    OtherKey {
        /// The private key's file.
        file: MaterialFile,
    },
    /// The certificate is somebody else's than the one it is to replace.
    #[error(
        "tls.certificate: the certificate is that of {new}, and this is {now}, which does not change while it runs"
    )]
    OtherIdentity {
        /// Who the program is.
        now: Identity,
        /// Whose the certificate is.
        new: Identity,
    },
    /// rustls refuses it: a key of a kind it does not know, say.
    #[error("{file}: {cause}")]
    Tls {
        /// The file.
        file: MaterialFile,
        /// What rustls said.
        cause: rustls::Error,
    },
    /// The CA's certificates cannot serve to check peers.
    #[error("tls.ca: the CA certificates cannot be used: {0}")]
    Verifier(String),
}

impl MaterialError {
    pub(crate) fn of_key(file: MaterialFile, cause: rustls::Error) -> Self {
        match cause {
            rustls::Error::InconsistentKeys(_) => Self::OtherKey { file },
            cause => Self::Tls { file, cause },
        }
    }
}

impl Material {
    /// Reads the three files. The certificate must be one of this role, and valid at `now`.
    ///
    /// # Errors
    /// A file that is missing, is not PEM, is empty, is readable by others (the key), or a
    /// certificate that names nobody, has another role or is not valid.
    pub fn load(paths: &MaterialPaths, role: Role, now: SystemTime) -> Result<Self, MaterialError> {
        let file = |key, path: &PathBuf| MaterialFile {
            key,
            path: path.clone(),
        };
        let own = file("tls.certificate", &paths.certificate);
        let key_file = file("tls.private_key", &paths.private_key);
        let ca = file("tls.ca", &paths.ca);

        let chain = read_certificates(&own)?;
        let first = chain.first().ok_or(MaterialError::Empty(own.clone()))?;
        let identity = Identity::of(first).map_err(|cause| MaterialError::Identity {
            file: own.clone(),
            cause,
        })?;
        if identity.role != role {
            return Err(MaterialError::WrongRole {
                file: own,
                identity,
                wanted: role,
            });
        }
        let expires = valid_until(&own, first, now)?;
        let serial = Serial::of(first).ok_or_else(|| unreadable(&own))?;

        let key = read_key(&key_file)?;
        let authorities = read_certificates(&ca)?;
        let mut all = vec![(own.to_string(), expires)];
        let mut roots = RootCertStore::empty();
        let count = authorities.len();
        for (index, certificate) in authorities.into_iter().enumerate() {
            let validity = Validity::of(&certificate).ok_or_else(|| unreadable(&ca))?;
            all.push((expiry::name(&ca, index, count), validity.not_after));
            roots.add(certificate).map_err(|cause| MaterialError::Tls {
                file: ca.clone(),
                cause,
            })?;
        }
        let of_authorities = all.iter().skip(1).map(|(_, expires)| *expires);
        let certificates = Certificates {
            serial,
            expires,
            ca_expires: of_authorities.min().ok_or(MaterialError::Empty(ca))?,
            all,
        };
        Ok(Self {
            chain,
            key,
            roots,
            key_file,
            certificates,
            identity,
        })
    }
}

fn unreadable(file: &MaterialFile) -> MaterialError {
    MaterialError::Tls {
        file: file.clone(),
        cause: rustls::CertificateError::BadEncoding.into(),
    }
}

/// When a certificate expires, which it has not.
fn valid_until(
    file: &MaterialFile,
    certificate: &CertificateDer<'_>,
    now: SystemTime,
) -> Result<SystemTime, MaterialError> {
    let validity = Validity::of(certificate).ok_or_else(|| unreadable(file))?;
    if now < validity.not_before || now > validity.not_after {
        return Err(MaterialError::NotNow {
            file: file.clone(),
            from: expiry::rfc3339(validity.not_before),
            to: expiry::rfc3339(validity.not_after),
        });
    }
    Ok(validity.not_after)
}

/// The certificates of a file; there is at least one.
pub(crate) fn read_certificates(
    file: &MaterialFile,
) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let pem = |cause| MaterialError::Pem {
        file: file.clone(),
        cause,
    };
    let list = CertificateDer::pem_file_iter(&file.path)
        .map_err(pem)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(pem)?;
    if list.is_empty() {
        Err(MaterialError::Empty(file.clone()))
    } else {
        Ok(list)
    }
}

/// A private key that nobody but its owner can read.
pub(crate) fn read_key(file: &MaterialFile) -> Result<PrivateKeyDer<'static>, MaterialError> {
    let mode = std::fs::metadata(&file.path)
        .map_err(|cause| MaterialError::File {
            file: file.clone(),
            cause,
        })?
        .permissions()
        .mode()
        & 0o7777;
    if mode & 0o077 != 0 {
        return Err(MaterialError::Mode {
            file: file.clone(),
            mode,
        });
    }
    PrivateKeyDer::from_pem_file(&file.path).map_err(|cause| match cause {
        pem::Error::NoItemsFound => MaterialError::NoKey(file.clone()),
        cause => MaterialError::Pem {
            file: file.clone(),
            cause,
        },
    })
}
