//! Certificates made by hand, for peers that `pgseal-keymaker` would never certify: of another CA,
//! expired, with two identities or none.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::dir::TestDir;

/// What one end of TLS is set up with, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its certificate, with those between it and the CA if there are any.
    pub certificate: PathBuf,
    /// Its private key (PKCS #8).
    pub private_key: PathBuf,
    /// The CA that it trusts; as it comes, the one that made the certificate.
    pub ca: PathBuf,
}

impl Identity {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .unwrap_or_else(|error| panic!("reading {}: {error}", self.certificate.display()))
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_file(&self.private_key)
            .unwrap_or_else(|error| panic!("reading {}: {error}", self.private_key.display()))
    }
}

/// A certificate authority of the test's own. It shares nothing with the one in
/// [`Keys`](crate::Keys); give its [`certificate`](Self::certificate) to a program as `tls.ca` to
/// have it trusted.
pub struct Ca {
    dir: TestDir,
    certificate: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
    issued: AtomicU32,
}

impl Ca {
    /// Makes one with a P-256 key. All made so have the same name.
    pub fn new() -> Self {
        Self::named("a test's own CA")
    }

    /// Makes one of another name.
    pub fn named(common_name: &str) -> Self {
        let dir = TestDir::new("ca");
        let mut params = named(common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key())
            .unwrap_or_else(|error| panic!("making a CA: {error}"));
        let certificate = dir.write("ca.crt", issuer.pem());
        Self {
            dir,
            certificate,
            issuer,
            issued: AtomicU32::new(1),
        }
    }

    /// Its certificate, a PEM file.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Makes a certificate; the files are this CA's and go away with it.
    pub fn issue(&self, leaf: &Leaf) -> Identity {
        let key = key();
        let certificate = leaf
            .params()
            .signed_by(&key, &self.issuer)
            .unwrap_or_else(|error| panic!("making a certificate: {error}"));
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        Identity {
            certificate: self.dir.write(&format!("{number}.crt"), certificate.pem()),
            private_key: self
                .dir
                .write_private(&format!("{number}.key"), key.serialize_pem()),
            ca: self.certificate.clone(),
        }
    }
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Leaf {
    uris: Vec<String>,
    hosts: Vec<String>,
    addresses: Vec<IpAddr>,
    common_name: String,
    usages: Vec<ExtendedKeyUsagePurpose>,
    years: (i32, i32),
    lifetime: Option<Duration>,
}

impl Leaf {
    /// One of a client: `pgseal://client/<id>`.
    pub fn client(id: &str) -> Self {
        Self::new(
            &format!("pgseal://client/{id}"),
            vec![ExtendedKeyUsagePurpose::ClientAuth],
        )
    }

    /// One of a server, which is a TLS client to its peers as well: `pgseal://server/<id>`.
    pub fn server(id: &str) -> Self {
        let usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Self::new(&format!("pgseal://server/{id}"), usages)
    }

    /// One of an admin: `pgseal://admin/<id>`.
    pub fn admin(id: &str) -> Self {
        Self::new(
            &format!("pgseal://admin/{id}"),
            vec![ExtendedKeyUsagePurpose::ClientAuth],
        )
    }

    fn new(uri: &str, usages: Vec<ExtendedKeyUsagePurpose>) -> Self {
        Self {
            uris: vec![uri.to_owned()],
            hosts: Vec::new(),
            addresses: Vec::new(),
            common_name: "a test's certificate".to_owned(),
            usages,
            years: (2020, 2120),
            lifetime: None,
        }
    }

    /// Adds a URI name.
    pub fn and_uri(mut self, uri: &str) -> Self {
        self.uris.push(uri.to_owned());
        self
    }

    /// Leaves it without a URI name, but with the host name `localhost`.
    pub fn without_uri(mut self) -> Self {
        self.uris.clear();
        self.and_host("localhost")
    }

    /// Adds a host name.
    pub fn and_host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// Adds an IP address.
    pub fn and_address(mut self, address: &str) -> Self {
        let address = address.parse();
        self.addresses
            .push(address.unwrap_or_else(|error| panic!("an IP address: {error}")));
        self
    }

    /// Gives it this common name.
    pub fn common_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.common_name);
        self
    }

    /// Valid in 2020 only.
    pub fn expired(mut self) -> Self {
        self.years = (2020, 2021);
        self
    }

    /// Valid from 2110 on.
    pub fn not_yet_valid(mut self) -> Self {
        self.years = (2110, 2120);
        self
    }

    /// Valid for so long from now on.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Good for both ends of TLS, whatever the role, so that nothing but the role is wrong.
    pub fn any_usage(mut self) -> Self {
        self.usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = named(&self.common_name);
        let uris = self.uris.iter().map(|uri| SanType::URI(name(uri)));
        let hosts = self.hosts.iter().map(|host| SanType::DnsName(name(host)));
        let addresses = self.addresses.iter().copied().map(SanType::IpAddress);
        params.subject_alt_names = uris.chain(hosts).chain(addresses).collect();
        params.extended_key_usages.clone_from(&self.usages);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = match self.lifetime {
            Some(lifetime) => (SystemTime::now() + lifetime).into(),
            None => date_time_ymd(self.years.1, 1, 1),
        };
        params
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .unwrap_or_else(|error| panic!("making a key: {error}"))
}

fn name<T: TryFrom<String>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap_or_else(|_| panic!("'{text}' is not ASCII"))
}
