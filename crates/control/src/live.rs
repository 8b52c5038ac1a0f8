//! The settings that change while servers run: what they are called, what their values mean and
//! which are right, and what holds where one is not set.
//!
//! The names are those of the server's configuration keys. Where values come from and which of
//! them wins is the server's; where they are kept, the store's.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::{ByteSize, LogLevel, OnRefused, Period, ZoneMode};

/// The live settings with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// `zone_mode`
    pub zone_mode: ZoneMode,
    /// `on_refused`
    pub on_refused: OnRefused,
    /// `log.level`
    pub log_level: LogLevel,
    /// `max_open_row`
    pub max_open_row: ByteSize,
    /// `open_memory`
    pub open_memory: ByteSize,
    /// `drain_timeout`
    pub drain_timeout: Period,
    /// `max_crl_age`
    pub max_crl_age: Period,
    /// `max_stale`
    pub max_stale: Period,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            zone_mode: ZoneMode::default(),
            on_refused: OnRefused::default(),
            log_level: LogLevel::default(),
            max_open_row: ByteSize::mebibytes(64),
            open_memory: ByteSize::mebibytes(512),
            drain_timeout: Period::seconds(30),
            max_crl_age: Period::seconds(3600),
            max_stale: Period::seconds(600),
        }
    }
}

/// How often a long row counts in `open_memory`: as it came, decoded, and as it goes.
pub const ROW_COPIES: usize = 3;

/// The shortest `max_stale`: with a shorter one, a slow answer of the store would stop everything.
const MIN_MAX_STALE: Duration = Duration::from_secs(5);

/// The shortest `max_crl_age`: with a shorter one, a busy moment would turn sessions away.
const MIN_MAX_CRL_AGE: Duration = Duration::from_secs(1);

/// Values that a server cannot run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// There is no live setting of this name; of a newer version, perhaps.
    #[error("{0}: this program knows no such setting")]
    Unknown(String),
    /// The value is none of this setting.
    #[error("{name}: {why}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What is wrong, and how it is written.
        why: String,
    },
    /// Two settings do not go together.
    #[error(
        "open_memory: {open_memory} bytes are too little for one row of max_open_row, which takes {needed}; raise the one or lower the other"
    )]
    RowOverMemory {
        /// `open_memory`, in bytes.
        open_memory: usize,
        /// What the longest row takes.
        needed: usize,
    },
}

/// A live setting, whatever its type.
#[derive(Debug)]
pub struct LiveSetting {
    /// Its name, that of the configuration's key.
    pub name: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// How its values are written.
    pub values: &'static str,
    read: fn(&Live) -> String,
    set: fn(&mut Live, &str) -> Result<(), String>,
}

impl LiveSetting {
    /// The setting of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<&'static Self, BadSetting> {
        LIVE_SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .ok_or_else(|| BadSetting::Unknown(name.to_owned()))
    }

    /// Its value, as text.
    #[must_use]
    pub fn read(&self, live: &Live) -> String {
        (self.read)(live)
    }

    /// What holds where it is not set anywhere.
    #[must_use]
    pub fn default(&self) -> String {
        self.read(&Live::default())
    }

    /// Gives it the value that is written so.
    ///
    /// # Errors
    /// It is no value of this setting.
    pub fn set(&self, live: &mut Live, text: &str) -> Result<(), BadSetting> {
        (self.set)(live, text).map_err(|why| BadSetting::Value {
            name: self.name,
            why,
        })
    }

    /// The one way in which a value is kept, of the several in which it may be written.
    ///
    /// # Errors
    /// It is no value of this setting.
    pub fn canonical(&self, text: &str) -> Result<String, BadSetting> {
        let mut live = Live::default();
        self.set(&mut live, text)?;
        Ok(self.read(&live))
    }
}

impl Live {
    /// Whether a server can run with these values.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(&self) -> Result<(), BadSetting> {
        let too_short = |name, why: &str| BadSetting::Value {
            name,
            why: why.into(),
        };
        if self.max_stale.0 < MIN_MAX_STALE {
            let why = "at least 5 s; a store may take that long to answer";
            return Err(too_short("max_stale", why));
        }
        if self.max_crl_age.0 < MIN_MAX_CRL_AGE {
            let why = "at least 1 s; a busy server does not confirm it more often";
            return Err(too_short("max_crl_age", why));
        }
        let needed = self.max_open_row.0.saturating_mul(ROW_COPIES);
        match self.open_memory.0 >= needed {
            true => Ok(()),
            false => Err(BadSetting::RowOverMemory {
                open_memory: self.open_memory.0,
                needed,
            }),
        }
    }
}

/// Checks what can be checked of values that are set, without knowing what holds elsewhere.
///
/// # Errors
/// No server can run with them.
pub fn check_settings<'a>(
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), BadSetting> {
    let mut live = Live::default();
    let (mut row, mut memory) = (false, false);
    for (name, text) in values {
        LiveSetting::named(name)?.set(&mut live, text)?;
        row |= name == "max_open_row";
        memory |= name == "open_memory";
    }
    if !(row && memory) {
        // What the other one is where it is not set here differs from server to server.
        live.max_open_row = Live::default().max_open_row;
        live.open_memory = Live::default().open_memory;
    }
    live.check()
}

fn parse<T: FromStr>(text: &str, to: &mut T) -> Result<(), String>
where
    T::Err: Display,
{
    *to = text.parse().map_err(|error: T::Err| error.to_string())?;
    Ok(())
}

/// Every live setting, in the order in which they are shown.
pub const LIVE_SETTINGS: &[LiveSetting] = &[
    LiveSetting {
        name: "zone_mode",
        help: "Which sealed values are opened: those sealed to the client, to a zone, or both.",
        values: "off|on|mixed",
        read: |live| live.zone_mode.to_string(),
        set: |live, text| parse(text, &mut live.zone_mode),
    },
    LiveSetting {
        name: "on_refused",
        help: "What becomes of a sealed value that may not or cannot be opened.",
        values: "ciphertext|null|error",
        read: |live| live.on_refused.to_string(),
        set: |live, text| parse(text, &mut live.on_refused),
    },
    LiveSetting {
        name: "max_open_row",
        help: "Longest row that is held in memory to be opened.",
        values: "SIZE",
        read: |live| live.max_open_row.to_string(),
        set: |live, text| parse(text, &mut live.max_open_row),
    },
    LiveSetting {
        name: "open_memory",
        help: "Memory that all sessions together may use for long rows; a row counts three times.",
        values: "SIZE",
        read: |live| live.open_memory.to_string(),
        set: |live, text| parse(text, &mut live.open_memory),
    },
    LiveSetting {
        name: "drain_timeout",
        help: "How long running sessions may take to end after SIGTERM.",
        values: "PERIOD",
        read: |live| live.drain_timeout.to_string(),
        set: |live, text| parse(text, &mut live.drain_timeout),
    },
    LiveSetting {
        name: "max_crl_age",
        help: "How old the list of revoked certificates may be; past it there are no new sessions.",
        values: "PERIOD",
        read: |live| live.max_crl_age.to_string(),
        set: |live, text| parse(text, &mut live.max_crl_age),
    },
    LiveSetting {
        name: "max_stale",
        help: "How long a server goes on with what it has in memory when its store does not answer.",
        values: "PERIOD",
        read: |live| live.max_stale.to_string(),
        set: |live, text| parse(text, &mut live.max_stale),
    },
    LiveSetting {
        name: "log.level",
        help: "Least severe events to log.",
        values: "error|warn|info|debug",
        read: |live| live.log_level.to_string(),
        set: |live, text| parse(text, &mut live.log_level),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_back_what_it_was_set_to_and_touches_no_other() {
        let others = [
            ("zone_mode", "mixed"),
            ("on_refused", "error"),
            ("max_open_row", "1MiB"),
            ("open_memory", "1GiB"),
            ("drain_timeout", "1m 30s"),
            ("max_crl_age", "2h"),
            ("max_stale", "5s"),
            ("log.level", "debug"),
        ];
        assert_eq!(others.len(), LIVE_SETTINGS.len());
        for (name, text) in others {
            let mut live = Live::default();
            LiveSetting::named(name)
                .unwrap()
                .set(&mut live, text)
                .unwrap();
            assert_eq!(live.check(), Ok(()));
            for setting in LIVE_SETTINGS {
                let expected = match setting.name == name {
                    true => text.to_owned(),
                    false => setting.default(),
                };
                assert_eq!(setting.read(&live), expected, "{name}");
                assert_eq!(setting.canonical(&expected), Ok(expected));
            }
        }
        let size = LiveSetting::named("max_open_row").unwrap();
        assert_eq!(size.canonical("1048576"), Ok("1MiB".into()));
    }

    #[test]
    fn what_is_no_value_is_refused_with_its_setting_and_how_it_is_written() {
        for (name, text, says) in [
            (
                "zone_mode",
                "On",
                "zone_mode: `On` is none of off, on, mixed",
            ),
            (
                "on_refused",
                "",
                "on_refused: `` is none of ciphertext, null, error",
            ),
            (
                "log.level",
                "trace",
                "log.level: `trace` is none of error, warn, info, debug",
            ),
            (
                "max_open_row",
                "64MB",
                "max_open_row: `64MB` is no size; write it like",
            ),
            (
                "max_stale",
                "10",
                "max_stale: `10` is no period of time; write it like",
            ),
            ("max_stale", "4s", "max_stale: at least 5 s; "),
            ("max_crl_age", "999ms", "max_crl_age: at least 1 s; "),
            (
                "no_such",
                "1",
                "no_such: this program knows no such setting",
            ),
        ] {
            let error = check_settings([(name, text)]).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn two_settings_that_do_not_go_together_are_refused_and_one_alone_is_not() {
        let row = ("max_open_row", "2GiB");
        assert_eq!(check_settings([row]), Ok(()));
        assert_eq!(check_settings([row, ("open_memory", "6GiB")]), Ok(()));
        let error = check_settings([row, ("open_memory", "6291455KiB")]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("open_memory: 6442449920 bytes are too little")
        );
    }
}
