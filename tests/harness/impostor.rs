//! A TLS server that only pretends to be `pgseal-server`: it shows any certificate it is given and
//! asks for none, and records what a connector tells it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::ca::Identity;
use crate::deadline::PATIENCE;
use crate::port::{Port, free_port};

/// A listening impostor. A connector that checks whom it talks to tells it nothing.
#[derive(Debug)]
pub struct Impostor {
    port: Port,
    heard: Arc<Mutex<Heard>>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Heard {
    closed: bool,
    connections: usize,
    bytes: Vec<u8>,
}

impl Impostor {
    /// Listens, with this certificate and ALPN `postgresql` and `http/1.1`.
    pub fn start(identity: &Identity) -> Self {
        Self::start_at(identity, None)
    }

    /// [`start`](Self::start) one that answers the first that it hears with these bytes, and nothing
    /// more until its peer closes.
    pub fn saying(identity: &Identity, answer: Vec<u8>) -> Self {
        Self::start_at(identity, Some(answer))
    }

    fn start_at(identity: &Identity, answer: Option<Vec<u8>>) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port.number()))
            .unwrap_or_else(|error| panic!("listening on port {port}: {error}"));
        let config = Arc::new(config(identity));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let acceptor = thread::spawn({
            let heard = Arc::clone(&heard);
            let answer = Arc::new(answer);
            move || accept(&listener, &config, &answer, &heard)
        });
        Self {
            port,
            heard,
            acceptor: Some(acceptor),
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// How many connections have been made and are over.
    pub fn connections(&self) -> usize {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .connections
    }

    /// All that peers have told it inside of TLS.
    pub fn heard(&self) -> Vec<u8> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
            .clone()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        // The acceptor wakes up for a connection only.
        let _ = TcpStream::connect(("127.0.0.1", self.port()));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn config(identity: &Identity) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(identity.chain(), identity.key())
        .unwrap_or_else(|error| panic!("a certificate of {identity:?}: {error}"));
    config.alpn_protocols = vec![b"postgresql".to_vec(), b"http/1.1".to_vec()];
    config
}

fn accept(
    listener: &TcpListener,
    config: &Arc<ServerConfig>,
    answer: &Arc<Option<Vec<u8>>>,
    heard: &Arc<Mutex<Heard>>,
) {
    for tcp in listener.incoming() {
        let tcp = tcp.unwrap_or_else(|error| panic!("accepting: {error}"));
        if heard.lock().unwrap_or_else(PoisonError::into_inner).closed {
            return;
        }
        let (config, heard) = (Arc::clone(config), Arc::clone(heard));
        let answer = Arc::clone(answer);
        thread::spawn(move || {
            let bytes = listen_to(tcp, config, answer.as_deref());
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.connections += 1;
            heard.bytes.extend(bytes);
        });
    }
}

/// Shakes hands and hears the first that the peer has to say, if it says anything.
fn listen_to(tcp: TcpStream, config: Arc<ServerConfig>, answer: Option<&[u8]>) -> Vec<u8> {
    let connection = ServerConnection::new(config).expect("the configuration is whole");
    tcp.set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is taken");
    let mut stream = StreamOwned::new(connection, tcp);
    let mut buffer = vec![0; 64 * 1024];
    let count = stream.read(&mut buffer).unwrap_or(0);
    let _ = stream.flush();
    if let Some(answer) = answer {
        // The peer may have enough of it.
        let _ = stream.write_all(answer).and_then(|()| stream.flush());
        while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
    }
    buffer.truncate(count);
    buffer
}
