//! The servers that are listed at this moment, and what the chooser has done about them: checks, over
//! TLS with certificates on both sides.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chooser::{Check, Checker, Chooser};
use control::{ClientError, HEARTBEAT, News};

use crate::servers::Server;

/// The list, shared by who chooses and who asks.
#[derive(Clone, Default)]
pub struct Fleet {
    list: Arc<RwLock<Vec<Arc<Server>>>>,
}

impl Fleet {
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

impl Checker for Fleet {
    const NAME: &'static str = "server";

    fn pace(&self, _name: &str) -> Duration {
        HEARTBEAT
    }

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
}

/// Asks for the server's news, and waits for the first line of them.
async fn ask(server: &Server) -> Result<News, ClientError> {
    let mut watch = server.checked.watch().await?;
    watch.next().await
}
