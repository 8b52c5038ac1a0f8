//! Who a peer is: the one URI in its certificate, `pgseal://<role>/<id>`.

use rustls_pki_types::CertificateDer;

/// Longest id in a certificate, in bytes.
const MAX_ID: usize = 128;

/// What a certificate lets its holder be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opens data sessions.
    Client,
    /// Is connected to; delivers cancels to its peers.
    Server,
    /// Changes settings, and clients and zones; may say for whom.
    Admin,
}

impl Role {
    /// The role's name, as it stands in a certificate.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Admin => "admin",
        }
    }
}

/// A peer's role and id, from a certificate whose chain has been verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// What it may be.
    pub role: Role,
    /// Which one it is, compared byte for byte.
    pub id: String,
}

/// The certificate names nobody, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// No URI, or several: with two names it would be a matter of luck who the peer is.
    #[error(
        "the certificate has {0} URI names, and needs exactly one of the form pgseal://ROLE/ID"
    )]
    Count(usize),
    /// The URI is not ours.
    #[error("the certificate's URI name is not of the form pgseal://client|server|admin/ID")]
    Form,
}

impl Identity {
    /// Reads the identity out of a peer's end-entity certificate.
    ///
    /// # Errors
    /// The certificate does not name exactly one peer.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let parsed =
            webpki::EndEntityCert::try_from(certificate).map_err(|_| IdentityError::Unreadable)?;
        let names: Vec<&str> = parsed.valid_uri_names().collect();
        match names.as_slice() {
            [name] => Self::parse(name),
            names => Err(IdentityError::Count(names.len())),
        }
    }

    fn parse(uri: &str) -> Result<Self, IdentityError> {
        let rest = uri.strip_prefix("pgseal://").ok_or(IdentityError::Form)?;
        let (role, id) = rest.split_once('/').ok_or(IdentityError::Form)?;
        let role = [Role::Client, Role::Server, Role::Admin]
            .into_iter()
            .find(|known| known.name() == role)
            .ok_or(IdentityError::Form)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@-".contains(&byte);
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(allowed) {
            return Err(IdentityError::Form);
        }
        Ok(Self {
            role,
            id: id.to_owned(),
        })
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.role.name(), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(uris: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI((*uri).try_into().unwrap()));
        }
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .clone()
    }

    #[test]
    fn a_certificate_says_role_and_id() {
        let identity = Identity::of(&certificate(&["pgseal://client/app@eu:1"])).unwrap();
        assert_eq!(
            identity,
            Identity {
                role: Role::Client,
                id: "app@eu:1".into()
            }
        );
        assert_eq!(identity.to_string(), "client app@eu:1");
    }

    #[test]
    fn a_certificate_without_a_uri_is_nobody() {
        assert_eq!(
            Identity::of(&certificate(&[])),
            Err(IdentityError::Count(0))
        );
    }

    #[test]
    fn a_certificate_with_two_uris_is_nobody() {
        let both = certificate(&["pgseal://client/a", "pgseal://admin/a"]);
        assert_eq!(Identity::of(&both), Err(IdentityError::Count(2)));
    }

    #[test]
    fn other_uris_are_nobody() {
        for uri in [
            "https://client/app",
            "pgseal://client",
            "pgseal://client/",
            "pgseal://client/a/b",
            "pgseal://client/a%20b",
            "pgseal://Client/app",
            "pgseal://root/app",
            "spiffe://pgseal/client/app",
        ] {
            assert_eq!(
                Identity::of(&certificate(&[uri])),
                Err(IdentityError::Form),
                "{uri}"
            );
        }
        let long = format!("pgseal://client/{}", "a".repeat(129));
        assert_eq!(
            Identity::of(&certificate(&[&long])),
            Err(IdentityError::Form)
        );
    }

    #[test]
    fn bytes_that_are_no_certificate_are_nobody() {
        let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        assert_eq!(Identity::of(&garbage), Err(IdentityError::Unreadable));
    }
}
