//! The servers that are listed at this moment, and what the chooser has done about them: checks, over
//! TLS with certificates on both sides, and metrics.

use std::sync::{Arc, PoisonError, RwLock};

use chooser::{Check, Chooser, Owner};
use control::{ClientError, News};

use crate::metrics::Metrics;
use crate::servers::Server;

/// The list, shared by who chooses and who asks.
#[derive(Clone)]
pub struct Fleet {
    list: Arc<RwLock<Vec<Arc<Server>>>>,
    metrics: Arc<Metrics>,
}

impl Fleet {
    /// Of these servers.
    pub fn new(list: Vec<Arc<Server>>, metrics: Arc<Metrics>) -> Self {
        Self {
            list: Arc::new(RwLock::new(list)),
            metrics,
        }
    }

    /// All of them, in the configuration's order.
    pub fn list(&self) -> Vec<Arc<Server>> {
        self.list
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The one at this address.
    pub fn at(&self, address: &str) -> Option<Arc<Server>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|it| it.address == address).cloned()
    }

    /// From now on it is of these.
    pub fn replace(&self, list: Vec<Arc<Server>>) {
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
    }
}

impl Owner for Fleet {
    const NAME: &'static str = "server";

    fn check(&self, chooser: &Arc<Chooser<Self>>, check: Check) {
        // One that is not listed any more needs no answer.
        if let Some(server) = self.at(&check.name) {
            let chooser = chooser.clone();
            tokio::spawn(async move {
                let news = ask(&server).await.map(|news| news.standing);
                chooser.checked(&check, news.map_err(|error| error.to_string()));
            });
        }
    }

    fn is_up(&self, name: &str, up: bool) {
        self.metrics.server_is(name, up);
    }

    fn is_distrusted(&self, name: &str, distrusted: bool) {
        self.metrics.server_is_distrusted(name, distrusted);
    }

    fn check_failed(&self, name: &str) {
        self.metrics.check_failed(name);
    }

    fn connect_failed(&self, name: &str) {
        self.metrics.connect_failed(name);
    }

    fn removed(&self, name: &str) {
        self.metrics.server_removed(name);
    }
}

/// Asks for the server's news, and waits for the first line of them.
async fn ask(server: &Server) -> Result<News, ClientError> {
    let mut watch = server.checked.watch().await?;
    watch.next().await
}
