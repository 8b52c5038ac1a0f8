//! What a server's own configuration says of its settings, and what holds with the store's.

use control::{BadSetting, LIVE_SETTINGS, Live, LiveSetting};
use daemon::{Origins, Source};

use super::Record;
use crate::config::Config;

/// What this server's own configuration says.
#[derive(Debug, Clone)]
pub struct Configured {
    live: Live,
    origins: Origins,
}

impl Configured {
    /// From a configuration that has been read.
    ///
    /// # Errors
    /// A server cannot run with it.
    pub fn new(config: &Config, origins: Origins) -> Result<Self, BadSetting> {
        let live = config.live();
        live.check()?;
        Ok(Self { live, origins })
    }

    /// Those that hold without a store's.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Where this process was told what the setting is, whatever store and file say.
    #[must_use]
    pub fn fixed(&self, name: &str) -> Option<&str> {
        let origin = self.origins.of(name)?;
        (origin.source == Source::Process).then_some(origin.place.as_str())
    }

    /// The settings that hold with what the store says: all of it or nothing.
    ///
    /// # Errors
    /// It has a setting that is not known here, or a value that this server cannot run with.
    pub fn with(&self, record: &Record) -> Result<Live, BadSetting> {
        let mut live = self.live.clone();
        let mut elsewhere = Live::default();
        for (name, set) in &record.set {
            let setting = LiveSetting::named(name.as_str())?;
            // What is fixed here has to be right all the same: it is right elsewhere, or nowhere.
            let to = match self.fixed(setting.name) {
                Some(_) => &mut elsewhere,
                None => &mut live,
            };
            setting.set(to, set.value.as_str())?;
        }
        live.check()?;
        Ok(live)
    }

    /// Every setting as it is with what the store says.
    #[must_use]
    pub fn view(&self, live: &Live, record: &Record) -> Vec<control::SettingView> {
        LIVE_SETTINGS
            .iter()
            .map(|setting| {
                let set = record.set.get(setting.name);
                let own = self.origins.of(setting.name);
                let (origin, place) = match own {
                    Some(own) if own.source == Source::Process => {
                        (control::Origin::Fixed, Some(own.place.clone()))
                    }
                    _ if set.is_some() => (control::Origin::Store, None),
                    Some(own) => (control::Origin::File, Some(own.place.clone())),
                    None => (control::Origin::Default, None),
                };
                control::SettingView {
                    name: setting.name.to_owned(),
                    help: setting.help.to_owned(),
                    values: setting.values.to_owned(),
                    value: setting.read(live),
                    default: setting.default(),
                    origin,
                    place,
                    stored: set.map(|set| control::StoredSetting {
                        value: set.value.to_string(),
                        by: set.by.clone(),
                        at: set.at.to_string(),
                    }),
                }
            })
            .collect()
    }
}
