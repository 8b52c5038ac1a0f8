//! Asking servers of what they share, their store: one of them, and the next one where it is silent.

use control::{Client, ClientError};

use crate::fleet::Fleet;
use crate::users::UserName;

/// Why there is no answer, or nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// A server says why it will not.
    #[error("{why}")]
    Refused {
        /// The HTTP status that it says so with.
        status: u16,
        /// Why, in its own words.
        why: String,
    },
    /// No server answers.
    #[error("no server answers: {0}")]
    NoServer(ClientError),
    /// A server broke off while it did it.
    #[error("{0}; it may have been done: look before you try again")]
    Unknown(ClientError),
    /// A defect, which the log tells.
    #[error("it ended early; look before you try again")]
    Interrupted,
    /// There is none to ask.
    #[error("no server is configured")]
    None,
}

/// Asks one server after the other until one answers.
///
/// # Errors
/// None does, or one refuses.
pub async fn look<T, A: Future<Output = Result<T, ClientError>>>(
    fleet: &Fleet,
    ask: impl Fn(Client) -> A,
) -> Result<T, NotDone> {
    let mut silent = NotDone::None;
    for server in fleet.by_readiness() {
        match ask(server.client.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(error) if judges(&error) => return Err(refused(error)),
            Err(error) => silent = NotDone::NoServer(error),
        }
    }
    Err(silent)
}

/// Has one server change something for a user: the next one only where nothing was sent.
///
/// # Errors
/// It was not done, or it is not known whether it was.
pub async fn change<T, A: Future<Output = Result<T, ClientError>>>(
    fleet: &Fleet,
    user: Option<&UserName>,
    ask: impl Fn(Client) -> A,
) -> Result<T, NotDone> {
    let mut silent = NotDone::None;
    for server in fleet.by_readiness() {
        match ask(server.client_for(user)).await {
            Ok(answer) => return Ok(answer),
            Err(error @ ClientError::Connect(_)) => silent = NotDone::NoServer(error),
            Err(error) if judges(&error) => return Err(refused(error)),
            // A server whose store fell silent may have made it before that.
            Err(error) => return Err(NotDone::Unknown(error)),
        }
    }
    Err(silent)
}

/// Whether a server has looked at what is asked. One whose store is silent has not.
fn judges(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status, .. } if status.as_u16() != 503)
}

fn refused(error: ClientError) -> NotDone {
    match error {
        ClientError::Refused { status, why, .. } => NotDone::Refused {
            status: status.as_u16(),
            why,
        },
        error => NotDone::Unknown(error),
    }
}
