//! `GET` and `POST /v1/settings`: the live settings, looked at and changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use control::{LiveSetting, SettingsChange, SettingsView};
use keystore::{Error, SettingName, SettingValue, Settings, Store};
use tunnel::{Identity, Role};

use super::admin::OnBehalfOf;
use super::{Problem, admin, forbidden, parse};
use crate::keys::KeysError;
use crate::settings;
use crate::shared::Shared;

type Changes = BTreeMap<SettingName, Option<SettingValue>>;

/// The settings as they hold here. Who set them is no client's matter.
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<SettingsView>, Problem> {
    match identity.role {
        Role::Admin | Role::Server => Ok(Json(shared.settings.view())),
        Role::Client => Err(forbidden("this path is for admins and servers")),
    }
}

/// Changes settings in the store, if this server could run with them. They hold here when it
/// answers, and within a second at every other server.
pub async fn change(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    Extension(OnBehalfOf(user)): Extension<OnBehalfOf>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SettingsView>, Problem> {
    admin(&identity, &shared, "changes settings")?;
    let request: SettingsChange = parse(body)?;
    let record = shared
        .keys
        .ask_promptly(Store::settings)
        .await
        .map_err(problem)?;
    if record.number != request.number {
        let (expected, found) = (request.number, record.number);
        return Err(problem(KeysError::Store(Error::SettingsChanged {
            expected,
            found,
            last: record.last,
        })));
    }
    let changes = read(&shared, &request.changes, &record)?;
    let by = shared.keys.author_admin(&identity.id, user.as_ref());
    let configured = shared.settings.configured();
    let after = record.with(&changes, &by);
    let live = configured
        .with(&after)
        .map_err(|error| wrong(error.to_string()))?;
    if request.dry_run {
        return Ok(Json(SettingsView {
            settings: configured.view(&live, &after),
            ..shared.settings.view()
        }));
    }
    shared
        .keys
        .ask_promptly(move |store| store.by(by).change_settings(&changes, Some(request.number)))
        .await
        .map_err(problem)?;
    settings::follow(&shared, true).await;
    Ok(Json(shared.settings.view()))
}

/// The changes that are asked for, each in the one way to write its value.
fn read(
    shared: &Shared,
    asked: &BTreeMap<String, Option<String>>,
    record: &Settings,
) -> Result<Changes, Problem> {
    let configured = shared.settings.configured();
    let change = |(name, value): (&String, &Option<String>)| {
        if let Some(place) = configured.fixed(name) {
            return Err(wrong(format!(
                "{name} is fixed on server {} by {place}, which beats the store; take it away there \
                 and restart that server, or change the setting through another one",
                shared.id
            )));
        }
        let known = LiveSetting::named(name);
        let value = match (known, value) {
            (Ok(setting), Some(text)) => {
                let text = setting
                    .canonical(text)
                    .map_err(|error| wrong(error.to_string()))?;
                Some(
                    text.parse()
                        .map_err(|error| wrong(format!("{name}: {error}")))?,
                )
            }
            (Ok(_), None) => None,
            // What a newer program has set may be taken back.
            (Err(_), None) if record.set.contains_key(name.as_str()) => None,
            (Err(error), _) => return Err(wrong(error.to_string())),
        };
        let name = name
            .parse()
            .map_err(|error| wrong(format!("{name}: {error}")))?;
        Ok((name, value))
    };
    asked.iter().map(change).collect()
}

fn wrong(why: String) -> Problem {
    Problem(StatusCode::UNPROCESSABLE_ENTITY, why)
}

/// Admins are told what is wrong with the record: they are those who can do something about it.
fn problem(error: KeysError) -> Problem {
    let status = match &error {
        KeysError::Store(Error::SettingsChanged { .. }) => StatusCode::CONFLICT,
        KeysError::Store(Error::TooManySettings(_) | Error::TooLarge { .. }) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        KeysError::Store(
            Error::Altered { .. }
            | Error::RecordMissing { .. }
            | Error::UnknownForm { .. }
            | Error::Moved { .. },
        ) => StatusCode::SERVICE_UNAVAILABLE,
        _ => return error.into(),
    };
    Problem(status, error.to_string())
}
