//! TLS by hand: a peer with any certificate or none, any ALPN, any version, that takes whatever
//! certificate it is shown. What the *other* side refuses is the test.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;

pub use rustls::AlertDescription;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

use super::{Session, Stream};
use crate::ca::Identity;

/// A TLS stream of the client's side.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Stream for TlsStream {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

/// How a TLS client presents itself.
#[derive(Clone)]
pub struct Hello {
    identity: Option<Identity>,
    alpn: Vec<Vec<u8>>,
    versions: Vec<&'static SupportedProtocolVersion>,
    kept: Option<Arc<ClientConfig>>,
}

impl Hello {
    /// TLS 1.3 with ALPN `postgresql` and no certificate.
    pub fn anonymous() -> Self {
        let alpn = vec![b"postgresql".to_vec()];
        Self {
            identity: None,
            alpn,
            versions: vec![&rustls::version::TLS13],
            kept: None,
        }
    }

    /// TLS 1.3 with ALPN `postgresql` and this certificate.
    pub fn from(identity: &Identity) -> Self {
        Self {
            identity: Some(identity.clone()),
            ..Self::anonymous()
        }
    }

    /// Offers these ALPN protocols instead; an empty list offers none.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        self
    }

    /// Offers TLS 1.2 only.
    pub fn tls12(mut self) -> Self {
        self.versions = vec![&rustls::version::TLS12];
        self
    }

    /// Keeps what it is given to resume a session by, and offers that in its next connection. To be
    /// called last.
    pub fn resuming(mut self) -> Self {
        self.kept = Some(self.config());
        self
    }

    /// Shakes hands over a new connection to a port of 127.0.0.1 (direct TLS).
    ///
    /// In TLS 1.3 a server judges the client's certificate after the client's part is done: a
    /// certificate it refuses shows in the first read of the session, not here.
    pub fn connect(&self, port: u16) -> io::Result<Session<TlsStream>> {
        let tcp = Session::try_connect(([127, 0, 0, 1], port).into())?;
        self.over(tcp.into_stream())
    }

    /// Shakes hands over a connection that something was said on before, such as `SSLRequest`.
    pub fn over(&self, mut tcp: TcpStream) -> io::Result<Session<TlsStream>> {
        let name = ServerName::try_from("localhost").expect("localhost is a name");
        let mut connection =
            ClientConnection::new(self.config(), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp)?;
        }
        Ok(Session::over(StreamOwned::new(connection, tcp)))
    }

    fn config(&self) -> Arc<ClientConfig> {
        if let Some(kept) = &self.kept {
            return kept.clone();
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions)
            .expect("the provider has TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer(provider)));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain(), identity.key())
                .unwrap_or_else(|error| panic!("a certificate of {identity:?}: {error}")),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        Arc::new(config)
    }
}

impl Session<TlsStream> {
    /// Reads to the end. Gives what came, and the alert that ended it if one did.
    pub fn read_to_end(self) -> (Vec<u8>, Option<AlertDescription>) {
        let mut received = Vec::new();
        let end = self.into_stream().read_to_end(&mut received);
        (received, end.err().and_then(|error| alert(&error)))
    }
}

/// The alert by which a peer ended a handshake or a session.
pub fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Takes any server that holds the key of the certificate it shows.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
