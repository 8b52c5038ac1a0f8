//! One check of one server: whether it answers, over TLS with certificates on both sides, and what
//! it says of itself.

use std::sync::Arc;

use control::{ClientError, News};

use crate::servers::Server;
use crate::servers::driver::{Asked, Driver};

/// Asks for the server's news, waits for the first line of them, and tells the driver.
pub async fn check(server: Arc<Server>, driver: Arc<Driver>, asked: Asked) {
    let answer = ask(&server).await;
    let answer = answer.map(|news| news.standing);
    driver.checked(&asked, answer.map_err(|error| error.to_string()));
}

async fn ask(server: &Server) -> Result<News, ClientError> {
    let mut watch = server.checked.watch().await?;
    watch.next().await
}
