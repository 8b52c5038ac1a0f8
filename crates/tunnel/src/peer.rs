//! What a peer's certificate says, once its chain has been verified.

use rustls_pki_types::CertificateDer;

use crate::{Identity, IdentityError, Serial};

/// Who a peer is, and by which certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Who.
    pub identity: Identity,
    /// By which its certificate is revoked.
    pub serial: Serial,
}

impl PeerCertificate {
    /// Reads it from the certificates a peer has shown; its own is the first of them.
    ///
    /// # Errors
    /// There is none, or it does not name exactly one peer.
    pub fn of(shown: Option<&[CertificateDer<'_>]>) -> Result<Self, IdentityError> {
        let own = shown.and_then(<[_]>::first);
        let own = own.ok_or(IdentityError::Unreadable)?;
        Ok(Self {
            identity: Identity::of(own)?,
            serial: Serial::of(own).ok_or(IdentityError::Unreadable)?,
        })
    }
}
