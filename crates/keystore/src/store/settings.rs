//! Settings that a fleet shares, opaque here: one record, changed by compare-and-set.

use std::collections::BTreeMap;

use super::{Author, Store};
use crate::Error;
use crate::engine::MAX_COMMIT;
use crate::name::RecordName;
use crate::record::{Event, SettingName, SettingValue, Settings};

/// The most settings that are changed at once; each takes an entry of the audit log.
pub const MAX_SETTINGS: usize = MAX_COMMIT - 20;

impl Author<'_> {
    /// Sets settings, and takes back those that are given `None`: all of it or nothing. What is so
    /// already is not changed. Answers all settings as they are then.
    ///
    /// `expected` is the number of the settings that the change was made for: if they are at
    /// another one, nothing is changed.
    pub fn change_settings(
        &self,
        changes: &BTreeMap<SettingName, Option<SettingValue>>,
        expected: Option<u64>,
    ) -> Result<Settings, Error> {
        if changes.len() > MAX_SETTINGS {
            return Err(Error::TooManySettings(changes.len()));
        }
        let (settings, _) = self.change(|tx| {
            let mut settings: Settings = tx.require(&RecordName::Settings)?;
            if let Some(expected) = expected.filter(|expected| *expected != settings.number) {
                return Err(Error::SettingsChanged {
                    expected,
                    found: settings.number,
                    last: settings.last,
                });
            }
            let before = settings.number;
            for (name, value) in changes {
                let changed = settings.change(name, value.as_ref(), self.name(), tx.at());
                if let Some(before) = changed {
                    tx.log(Event::SettingChanged {
                        name: name.clone(),
                        from: before.0,
                        to: value.clone(),
                    });
                }
            }
            if settings.number != before {
                tx.put_json(&RecordName::Settings, &settings)?;
            }
            Ok(settings)
        })?;
        Ok(settings)
    }
}

impl Store {
    /// All settings that are set.
    pub fn settings(&self) -> Result<Settings, Error> {
        self.read_json(&RecordName::Settings)?
            .ok_or_else(|| self.missing(&RecordName::Settings))
    }
}
