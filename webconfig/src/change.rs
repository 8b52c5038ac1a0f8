//! A change of the fleet's settings: looked at by every server that can be reached, then made once,
//! through one of them.
//!
//! The servers share a store, and all or nothing of a change is in it: a program killed in between
//! leaves one number or the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use control::{ClientError, SettingsChange, SettingsView};

use crate::fleet::{Fleet, Server};
use crate::users::UserName;

/// New values by name; `None` takes a setting out of the store.
pub type Changes = BTreeMap<String, Option<String>>;

/// A change that was made.
#[derive(Debug)]
pub struct Changed {
    /// The number of the settings since.
    pub number: Option<u64>,
    /// Servers that were not reached, and take it over when they are back.
    pub away: Vec<String>,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// Somebody else was faster.
    #[error("{0}")]
    Conflict(String),
    /// A server could not run with it.
    #[error("{0}")]
    Refused(String),
    /// No server answers.
    #[error("no server answers: {0}")]
    NoServer(ClientError),
    /// A server broke off while it was made.
    #[error("{0}; it may have been made: look before you try again")]
    Unknown(ClientError),
}

/// Changes settings of all servers, those that `number` counts and nothing later, for this user.
///
/// # Errors
/// It was not made, or it is not known whether it was.
pub async fn change(
    fleet: &Fleet,
    number: u64,
    changes: Changes,
    user: Option<&UserName>,
) -> Result<Changed, NotChanged> {
    let mut request = SettingsChange {
        number,
        changes,
        dry_run: true,
    };
    let (ready, away) = validate(fleet, &request, user).await?;
    request.dry_run = false;
    let mut last = None;
    for server in &ready {
        match server.client_for(user).change_settings(&request).await {
            Ok(view) => return Ok(made(&view, away)),
            // Nothing was sent: the next one may make it.
            Err(error @ ClientError::Connect(_)) => last = Some(error),
            Err(error) => return Err(refused(error)),
        }
    }
    match last {
        Some(error) => Err(NotChanged::NoServer(error)),
        None => Err(NotChanged::Refused("no server is configured".into())),
    }
}

fn made(view: &SettingsView, away: Vec<String>) -> Changed {
    Changed {
        number: view.number,
        away,
    }
}

/// Asks every server whether it could run with the change. Gives those that could, and those that are
/// away.
async fn validate(
    fleet: &Fleet,
    request: &SettingsChange,
    user: Option<&UserName>,
) -> Result<(Vec<Arc<Server>>, Vec<String>), NotChanged> {
    let asked: Vec<_> = fleet
        .servers
        .iter()
        .map(|server| {
            let (server, request) = (server.clone(), request.clone());
            let client = server.client_for(user);
            tokio::spawn(async move {
                let answer = client.change_settings(&request).await;
                (server, answer)
            })
        })
        .collect();
    let (mut ready, mut away, mut silent) = (Vec::new(), Vec::new(), None);
    for asked in asked {
        // A task ends early only by a defect, which the log tells.
        let Ok((server, answer)) = asked.await else {
            continue;
        };
        match answer {
            Ok(_) => ready.push(server),
            Err(error) if judges(&error) => return Err(refused(error)),
            Err(error) => {
                away.push(server.address.clone());
                silent = Some(error);
            }
        }
    }
    match silent {
        Some(error) if ready.is_empty() => Err(NotChanged::NoServer(error)),
        _ => Ok((ready, away)),
    }
}

/// Whether a server has looked at the change, and will not have it. One that cannot look at it, for its
/// store is silent, is as good as away.
fn judges(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status, .. } if status.as_u16() != 503)
}

fn refused(error: ClientError) -> NotChanged {
    match &error {
        ClientError::Refused { status, why, .. } if status.as_u16() == 409 => {
            NotChanged::Conflict(why.clone())
        }
        // Its store fell silent: it may have made it before that.
        ClientError::Refused { status, .. } if status.as_u16() == 503 => NotChanged::Unknown(error),
        ClientError::Refused { .. } => NotChanged::Refused(error.to_string()),
        _ => NotChanged::Unknown(error),
    }
}
