//! What TLS to the database is to be like: the keys of the configuration, and what does not go
//! together.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tunnel::{ClientFiles, MaterialFile, Trust};

use crate::config::{self, DatabaseAddress, SslMode};

/// TLS to the database, ready for a connection.
pub struct Tls {
    /// The mode it was made for.
    pub sslmode: SslMode,
    /// What rustls needs.
    pub config: Arc<ClientConfig>,
    /// The name that the database's certificate should be for, where that is checked.
    pub name: ServerName<'static>,
}

impl Tls {
    /// As the configuration says, to a database at `address`; `None` where all goes in clear. Every
    /// file is read.
    ///
    /// # Errors
    /// In a line: keys that contradict each other, or a file that cannot be used. Nothing is
    /// ignored, so that nobody believes to be safer than they are.
    pub fn new(
        config: &config::Database,
        address: &DatabaseAddress,
    ) -> Result<Option<Self>, String> {
        agree(config, address)?;
        let ca = config.ca.clone().map(|path| MaterialFile { key: CA, path });
        let trust = match (config.sslmode, ca) {
            (SslMode::Disable, _) => return Ok(None),
            (SslMode::Require, _) => Trust::Anybody,
            (SslMode::VerifyCa, Some(ca)) => Trust::Ca(ca),
            (SslMode::VerifyFull, Some(ca)) => Trust::CaAndName(ca),
            (mode, None) => {
                return Err(format!(
                    "`database.ca` is not set, and database.sslmode = {mode} checks the \
                     database's certificate against it"
                ));
            }
        };
        let client = match (config.certificate.clone(), config.private_key.clone()) {
            (Some(certificate), Some(private_key)) => Some(ClientFiles {
                certificate,
                private_key,
            }),
            (None, None) => None,
            _ => {
                return Err(
                    "database.certificate and database.private_key go together; set both, or none"
                        .to_owned(),
                );
            }
        };
        let tls = tunnel::database_config(trust, client).map_err(|error| error.to_string())?;
        Ok(Some(Self {
            sslmode: config.sslmode,
            config: tls,
            name: name(config, address)?,
        }))
    }
}

/// Keys that would say nothing beside the others.
fn agree(config: &config::Database, address: &DatabaseAddress) -> Result<(), String> {
    let mode = config.sslmode;
    if let (DatabaseAddress::Socket(_), true) = (address, mode != SslMode::Disable) {
        return Err(format!(
            "database.sslmode = {mode}, and PostgreSQL speaks no TLS on a unix socket; set \
             disable, or the host and port as database.address"
        ));
    }
    let verifies = matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull);
    for (key, is_set, counts, needs) in [
        (
            "database.ca",
            config.ca.is_some(),
            verifies,
            "verify-ca or verify-full",
        ),
        (
            "database.host_name",
            config.host_name.is_some(),
            mode == SslMode::VerifyFull,
            "verify-full",
        ),
        (
            "database.certificate",
            config.certificate.is_some(),
            mode != SslMode::Disable,
            "require, verify-ca or verify-full",
        ),
        (
            "database.private_key",
            config.private_key.is_some(),
            mode != SslMode::Disable,
            "require, verify-ca or verify-full",
        ),
    ] {
        if is_set && !counts {
            return Err(format!(
                "{key} is set, and database.sslmode = {mode} does not use it; set {needs}, or \
                 leave {key} out"
            ));
        }
    }
    Ok(())
}

/// The name to be checked, and to be sent (SNI) where it is a host's.
fn name(
    config: &config::Database,
    address: &DatabaseAddress,
) -> Result<ServerName<'static>, String> {
    let (key, name) = match (&config.host_name, address) {
        (Some(name), _) => ("database.host_name", name.as_str()),
        (None, DatabaseAddress::Tcp(address)) => ("database.address", address.host()),
        (None, DatabaseAddress::Socket(_)) => ("database.address", ""),
    };
    match ServerName::try_from(name.to_owned()) {
        Ok(name) => Ok(name),
        // Any name that can be sent will do.
        Err(_) if config.sslmode != SslMode::VerifyFull => {
            ServerName::try_from("localhost").map_err(|cause| format!("a server's name: {cause}"))
        }
        Err(_) => Err(format!(
            "{key}: `{name}` is no name that a certificate can be for"
        )),
    }
}

/// Why a certificate does not do, in words; `None` if that is not what is wrong. `ca` is the key of the
/// configuration that names the CAs it was checked against.
pub fn refused(cause: &std::io::Error, name: &ServerName<'_>, ca: &str) -> Option<String> {
    let cause = cause.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(cause) = cause else {
        return None;
    };
    Some(match cause {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("its certificate was made by no CA in {ca}")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for the name {}", name.to_str())
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        other => format!("its certificate cannot be used: {other}"),
    })
}

/// The key of the CAs that a database is checked against.
pub const CA: &str = "database.ca";

#[cfg(test)]
mod tests {
    use super::*;

    fn new(fields: &[(&str, &str)]) -> Result<bool, String> {
        let mut table = serde_json::json!({ "address": "db.example:5432" });
        for (key, value) in fields {
            table[*key] = (*value).into();
        }
        let config: config::Database = serde_json::from_value(table).unwrap();
        Tls::new(&config, config.address.as_ref().unwrap()).map(|tls| tls.is_some())
    }

    #[test]
    fn disable_and_require_need_nothing() {
        assert_eq!(new(&[]), Ok(false));
        assert_eq!(new(&[("sslmode", "require")]), Ok(true));
        assert_eq!(
            new(&[("sslmode", "require"), ("address", "under_score!:1")]),
            Ok(true)
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (fields, says) in [
            (
                [("sslmode", "verify-ca")].as_slice(),
                "`database.ca` is not set",
            ),
            (&[("sslmode", "verify-full")], "`database.ca` is not set"),
            (
                &[("ca", "x")],
                "database.ca is set, and database.sslmode = disable",
            ),
            (
                &[("ca", "x"), ("sslmode", "require")],
                "does not use it; set verify-ca or verify-full",
            ),
            (
                &[("host_name", "x"), ("ca", "x"), ("sslmode", "verify-ca")],
                "set verify-full, or leave",
            ),
            (&[("certificate", "x")], "database.certificate is set"),
            (&[("private_key", "x")], "database.private_key is set"),
            (
                &[("certificate", "x"), ("sslmode", "require")],
                "go together",
            ),
            (
                &[("private_key", "x"), ("sslmode", "require")],
                "go together",
            ),
            (
                &[
                    ("address", "/run/postgresql/.s.PGSQL.5432"),
                    ("sslmode", "require"),
                ],
                "no TLS on a unix socket",
            ),
            (
                &[("ca", "/no/such/file"), ("sslmode", "verify-full")],
                "database.ca: /no/such/file: ",
            ),
        ] {
            let error = new(fields).unwrap_err();
            assert!(error.contains(says), "{fields:?}: {error}");
        }
    }
}
