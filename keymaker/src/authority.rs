//! The certificate authority: making it, unlocking it, and what its certificates say.
//!
//! Peers are identified by one URI name, `pgseal://ROLE/ID`; the subject is for people. Where
//! certificates and keys are written is `cert`'s and `init`'s business.

mod key_file;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use envelope::ClientId;
use keystore::{Secret, Serial, Timestamp};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber,
};
use sha2::{Digest, Sha256};
use x509_parser::pem::parse_x509_pem;
use zeroize::Zeroizing;

use crate::Error;
use crate::cli::Role;
use crate::files::{NewFiles, is_taken};

/// The authority's certificate, in its directory.
pub const CERTIFICATE: &str = "ca.crt";
/// Its private key, in PKCS#8 encrypted under the passphrase.
pub const KEY: &str = "ca.key";

/// How long an authority is valid, in days.
const AUTHORITY_DAYS: u16 = 3650;
/// How far a certificate reaches back, for peers whose clocks are slow.
const CLOCK_SKEW: Duration = Duration::from_secs(300);
/// The longest common name that RFC 5280 (`ub-common-name`) allows.
const MAX_COMMON_NAME: usize = 64;
const ORGANIZATION: &str = "pgseal";

/// An unlocked authority.
pub struct Authority {
    key: Zeroizing<KeyPair>,
    certificate_der: Vec<u8>,
    certificate_pem: String,
    expires: Timestamp,
}

/// A certificate that was issued.
pub struct Issued {
    pub pem: String,
    /// As `openssl x509 -fingerprint -sha256` shows it.
    pub fingerprint: String,
    pub serial: Serial,
    /// `pgseal://ROLE/ID`.
    pub identity: String,
    pub expires: Timestamp,
}

impl Authority {
    /// A new authority: P-256, self-signed, for certificates of peers only.
    fn generate() -> Result<Self, Error> {
        Self::with_key(Zeroizing::new(KeyPair::generate()?))
    }

    /// The authority in `directory`; what is missing of it is made.
    pub fn in_directory(
        directory: &Path,
        passphrase: Secret,
        files: &mut NewFiles,
    ) -> Result<Self, Error> {
        let (certificate, key) = (directory.join(CERTIFICATE), directory.join(KEY));
        if is_taken(&certificate) {
            return Self::unlock(directory, || Ok(passphrase));
        }
        let authority = match is_taken(&key) {
            true => Self::with_key_in(directory, &passphrase)?,
            false => {
                let authority = Self::generate()?;
                let key_pem = authority.encrypted_key_pem(&passphrase)?;
                files.file(&key, 0o600, key_pem.as_bytes())?;
                authority
            }
        };
        files.file(&certificate, 0o644, authority.certificate_pem.as_bytes())?;
        Ok(authority)
    }

    /// The authority that a key in `directory` was made for, which has no certificate yet: what an
    /// interrupted attempt leaves behind.
    fn with_key_in(directory: &Path, passphrase: &Secret) -> Result<Self, Error> {
        let path = directory.join(KEY);
        Self::with_key(key_file::decrypt(&path, &read(&path)?, passphrase)?)
    }

    fn with_key(key: Zeroizing<KeyPair>) -> Result<Self, Error> {
        let validity = Validity::of(AUTHORITY_DAYS);
        let serial = random_serial()?;
        let mut params = CertificateParams::default();
        validity.apply(&mut params);
        // Its serial tells two authorities apart, for people and for chain building.
        let name = format!("pgseal CA {}", &hex(&serial)[..8]);
        params.distinguished_name = distinguished_name(&[
            (DnType::OrganizationName, ORGANIZATION),
            (DnType::CommonName, &name),
        ]);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&*key)?;
        Ok(Authority {
            certificate_der: certificate.der().to_vec(),
            certificate_pem: certificate.pem(),
            key,
            expires: validity.expires,
        })
    }

    /// The authority in `directory`. The passphrase is asked for only when the certificate is fit.
    pub fn unlock(
        directory: &Path,
        passphrase: impl FnOnce() -> Result<Secret, Error>,
    ) -> Result<Self, Error> {
        let certificate_path = directory.join(CERTIFICATE);
        let key_path = directory.join(KEY);
        let (certificate_pem, key_pem) = (read(&certificate_path)?, read(&key_path)?);
        let unfit = |what| Error::Unfit {
            path: certificate_path.clone(),
            what,
        };

        let (_, pem) = parse_x509_pem(certificate_pem.as_bytes())
            .map_err(|_| unfit("is not a certificate in PEM"))?;
        let certificate = pem
            .parse_x509()
            .map_err(|_| unfit("is not an X.509 certificate"))?;
        if !certificate.is_ca() {
            return Err(unfit("is not the certificate of a CA"));
        }
        if !certificate.validity().is_valid() {
            return Err(unfit(
                "has expired, or is not valid yet; make a new CA with `init`",
            ));
        }
        let expires = u64::try_from(certificate.validity().not_after.timestamp())
            .ok()
            .and_then(Timestamp::from_seconds)
            .ok_or_else(|| unfit("has no sensible time of expiry"))?;

        let key = key_file::decrypt(&key_path, &key_pem, &passphrase()?)?;
        if key.public_key_raw() != certificate.public_key().subject_public_key.as_ref() {
            return Err(Error::Unfit {
                path: key_path,
                what: "is not the key of the CA's certificate",
            });
        }
        Ok(Authority {
            key,
            certificate_der: pem.contents.clone(),
            certificate_pem,
            expires,
        })
    }

    /// Issues a certificate for whoever holds the private half of `public_key`.
    pub fn issue(
        &self,
        role: Role,
        id: &ClientId,
        days: u16,
        public_key: &impl PublicKeyData,
    ) -> Result<Issued, Error> {
        let validity = Validity::of(days);
        if validity.expires > self.expires {
            return Err(Error::OutlivesAuthority {
                expires: self.expires,
            });
        }
        let identity = format!("pgseal://{}/{id}", role.name());
        let serial = random_serial()?;
        let mut params = CertificateParams::default();
        validity.apply(&mut params);
        let mut subject = vec![
            (DnType::OrganizationName, ORGANIZATION),
            (DnType::OrganizationalUnitName, role.name()),
        ];
        if id.as_str().len() <= MAX_COMMON_NAME {
            subject.push((DnType::CommonName, id.as_str()));
        }
        params.distinguished_name = distinguished_name(&subject);
        params.subject_alt_names = vec![SanType::URI(identity.as_str().try_into()?)];
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = role.extended_key_usages();
        params.use_authority_key_identifier_extension = true;

        let issuer = Issuer::from_ca_cert_der(&self.certificate_der.as_slice().into(), &*self.key)?;
        let certificate: Certificate = params.signed_by(public_key, &issuer)?;
        Ok(Issued {
            fingerprint: fingerprint(certificate.der()),
            pem: certificate.pem(),
            serial: Serial::from_bytes(&serial).expect("it has 16 bytes and is not zero"),
            identity,
            expires: validity.expires,
        })
    }

    /// The private key in PEM, encrypted.
    fn encrypted_key_pem(&self, passphrase: &Secret) -> Result<Zeroizing<String>, Error> {
        key_file::encrypt(&self.key, passphrase)
    }

    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate_der)
    }

    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Role {
    /// As it stands in identities.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Client => "client",
            Role::Server => "server",
            Role::Admin => "admin",
        }
    }

    /// Servers connect to their peers too, to deliver cancels.
    fn extended_key_usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Role::Client | Role::Admin => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Role::Server => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
        }
    }
}

/// From when to when a certificate is valid, in whole seconds.
struct Validity {
    from: SystemTime,
    expires: Timestamp,
}

impl Validity {
    /// From a moment ago, for this many days from now.
    fn of(days: u16) -> Self {
        let now = Timestamp::now();
        Validity {
            from: system_time(now) - CLOCK_SKEW,
            expires: now.plus_days(days),
        }
    }

    fn apply(&self, params: &mut CertificateParams) {
        params.not_before = self.from.into();
        params.not_after = system_time(self.expires).into();
    }
}

fn system_time(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.seconds())
}

fn distinguished_name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

/// 128 random bits; RFC 5280 asks for a positive number of at most 20 bytes.
fn random_serial() -> Result<[u8; 16], Error> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| keystore::Error::NoRandom)?;
    // A first byte of zero would be left out of the encoding, and a zero serial is none.
    serial[0] |= 0x01;
    Ok(serial)
}

fn read(path: &PathBuf) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => Error::Unfit {
            path: path.clone(),
            what: "is not a file in PEM",
        },
        _ => Error::File {
            action: "read",
            path: path.clone(),
            source,
        },
    })
}

/// As `openssl x509 -fingerprint -sha256` shows it.
pub fn fingerprint(der: &[u8]) -> String {
    let digest = Sha256::digest(der);
    let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
