//! A TLS set-up that is exchanged while the program runs: connections made before go on as they
//! were, those made after use the new one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};

use crate::{Certificates, Identity, MaterialError};

/// What one reading of a program's TLS files gave.
#[derive(Debug)]
pub struct Setup<C> {
    /// For new connections.
    pub config: Arc<C>,
    /// Who the program is.
    pub identity: Identity,
    /// When its certificates expire.
    pub certificates: Certificates,
}

/// One end's set-up, as it is now. Data sessions and the control API use the same one.
#[derive(Debug)]
pub struct Live<C>(ArcSwap<Setup<C>>);

/// A server's.
pub type ServerTls = Live<ServerConfig>;
/// A connector's.
pub type ClientTls = Live<ClientConfig>;

impl<C> Live<C> {
    /// At the program's start.
    #[must_use]
    pub fn new(setup: Setup<C>) -> Self {
        Self(ArcSwap::from_pointee(setup))
    }

    /// What a connection that is made now uses.
    #[must_use]
    pub fn config(&self) -> Arc<C> {
        self.0.load().config.clone()
    }

    /// All of it, as it is now.
    #[must_use]
    pub fn setup(&self) -> Arc<Setup<C>> {
        self.0.load_full()
    }

    /// From now on new connections use this one.
    ///
    /// # Errors
    /// It is somebody else's certificate: who a program is does not change while it runs. Nothing
    /// is exchanged then.
    pub fn exchange(&self, setup: Setup<C>) -> Result<(), MaterialError> {
        let identity = &self.0.load().identity;
        if setup.identity != *identity {
            return Err(MaterialError::OtherIdentity {
                now: identity.clone(),
                new: setup.identity,
            });
        }
        self.0.store(Arc::new(setup));
        Ok(())
    }
}
