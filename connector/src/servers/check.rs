//! One check of one server: whether it answers, over TLS with certificates on both sides, and what
//! it says of itself.

use control::{ClientError, News};

use crate::servers::Server;

/// Asks for its news, and waits for the first line of them.
///
/// # Errors
/// It does not answer in time, or is not who it should be.
pub async fn check(server: &Server) -> Result<News, ClientError> {
    let mut watch = server.checked.watch().await?;
    watch.next().await
}
