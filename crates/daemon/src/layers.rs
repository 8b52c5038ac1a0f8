//! Configuration in layers: a flag beats an environment variable, which beats the file.

mod origin;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::{Failure, Key, Kind};

pub use origin::{Origin, Origins, Source};

/// A program's command line, from the table of its keys.
pub struct Layers {
    keys: &'static [Key],
    matches: ArgMatches,
    default_file: &'static str,
}

/// A configuration that has been read and is whole.
pub struct Loaded<C> {
    /// The values.
    pub config: C,
    /// Where they came from.
    pub origins: Origins,
    /// True when the program was only asked whether its configuration is right.
    pub check_only: bool,
}

impl Layers {
    /// Reads the command line; `--help` and `--version` end the program here.
    ///
    /// # Errors
    /// The command line says what cannot be understood.
    pub fn from_command_line(
        command: Command,
        keys: &'static [Key],
        default_file: &'static str,
    ) -> Result<Self, Failure> {
        Self::from_arguments(command, keys, default_file, std::env::args_os())
    }

    /// Reads these arguments, the program's name first, as [`Self::from_command_line`] does.
    ///
    /// # Errors
    /// They say what cannot be understood.
    pub fn from_arguments(
        command: Command,
        keys: &'static [Key],
        default_file: &'static str,
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, Failure> {
        let command = with_flags(command, keys, default_file);
        let matches = command.try_get_matches_from(arguments);
        Ok(Self {
            keys,
            matches: matches.map_err(|error| bad_usage(&error))?,
            default_file,
        })
    }

    /// What the command line says: for a program that takes orders behind its flags.
    #[must_use]
    pub fn matches(&self) -> &ArgMatches {
        &self.matches
    }

    /// Reads file, environment and flags into one configuration. Called again on SIGHUP: the
    /// command line and the environment stay, the file is read anew.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML, a key is unknown, missing, or its value is wrong;
    /// each with the place it came from.
    pub fn load<C: DeserializeOwned>(&self) -> Result<Loaded<C>, Failure> {
        self.read().map_err(|failure| match failure {
            // It may quote a text of several lines.
            Failure::Usage(why) => Failure::Usage(why.replace(char::is_control, " ")),
            failure => failure,
        })
    }

    fn read<C: DeserializeOwned>(&self) -> Result<Loaded<C>, Failure> {
        let mut table = Table::new();
        let mut origins = Origins::default();
        if let Some(path) = self.file() {
            let text = std::fs::read_to_string(&path)
                .map_err(|cause| Failure::Usage(format!("{}: {cause}", path.display())))?;
            self.read_file(&path, &text, &mut table, &mut origins)?;
        }
        for key in self.keys {
            let flag = key.flag();
            let Some(value) = self.matches.get_one::<String>(&flag) else {
                continue;
            };
            let place = match self.matches.value_source(&flag) {
                Some(ValueSource::EnvVariable) => key.variable(),
                _ => format!("--{flag}"),
            };
            let value =
                parse(key.kind, value).map_err(|why| Failure::Usage(format!("{place}: {why}")))?;
            insert(&mut table, key.name, value);
            origins.note(key.name, Source::Process, place);
        }
        let config = serde_path_to_error::deserialize(Value::Table(table))
            .map_err(|error| self.explain(&error, &origins))?;
        Ok(Loaded {
            config,
            origins,
            check_only: self.matches.get_flag("check-config"),
        })
    }

    /// The file to read: the one named, or the default one where it exists.
    fn file(&self) -> Option<PathBuf> {
        let named = self.matches.get_one::<PathBuf>("config").cloned();
        named.or_else(|| Some(PathBuf::from(self.default_file)).filter(|path| path.exists()))
    }

    fn read_file(
        &self,
        path: &Path,
        text: &str,
        table: &mut Table,
        origins: &mut Origins,
    ) -> Result<(), Failure> {
        let place = |at: usize| {
            let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
            format!("{}:{line}", path.display())
        };
        let wrong = |error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            Failure::Usage(format!("{}: {}", place(at), error.message()))
        };
        let parsed = DeTable::parse(text).map_err(wrong)?;
        let mut found = Vec::new();
        leaves("", parsed.get_ref(), &mut found);
        for Leaf { name, at, is_table } in found {
            let place = place(at);
            let is_key = self.keys.iter().any(|key| key.name == name);
            let holds_keys = |key: &Key| {
                let rest = key.name.strip_prefix(&name);
                is_table && rest.is_some_and(|rest| rest.starts_with('.'))
            };
            if is_key {
                origins.note(&name, Source::File, place);
            } else if !self.keys.iter().any(holds_keys) {
                return Err(Failure::Usage(format!(
                    "{place}: unknown key `{name}`; --help lists the keys there are"
                )));
            }
        }
        *table = toml::from_str(text).map_err(wrong)?;
        Ok(())
    }

    fn explain(
        &self,
        error: &serde_path_to_error::Error<toml::de::Error>,
        origins: &Origins,
    ) -> Failure {
        let path = error.path().to_string();
        let message = error.inner().message();
        let at = |origin: &&Origin| {
            let inside = path.strip_prefix(&origin.name);
            inside.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if let Some(origin) = origins.iter().find(at) {
            return Failure::Usage(format!("{}: {}: {message}", origin.place, origin.name));
        }
        // A missing field is reported at the table it is missing from, or is that table.
        let field = message
            .strip_prefix("missing field `")
            .and_then(|rest| rest.strip_suffix('`'));
        let missing = field.and_then(|field| {
            let name = if path == "." {
                field.to_owned()
            } else {
                format!("{path}.{field}")
            };
            let inside = |key: &&Key| {
                key.name == name
                    || key
                        .name
                        .strip_prefix(&name)
                        .is_some_and(|rest| rest.starts_with('.'))
            };
            self.keys
                .iter()
                .filter(inside)
                .find(|key| key.default.is_empty())
        });
        match missing {
            Some(key) => Failure::Usage(format!(
                "`{}` is not set: put it into the configuration file, or give --{} or {}",
                key.name,
                key.flag(),
                key.variable()
            )),
            None => Failure::Usage(format!("configuration: {message}")),
        }
    }
}

fn with_flags(command: Command, keys: &'static [Key], default_file: &'static str) -> Command {
    let mut command = command
        .arg(
            Arg::new("config")
                .long("config")
                .short('c')
                .env("PGSEAL_CONFIG")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help(format!(
                    "Configuration file, TOML [default: {default_file}, if it exists]"
                )),
        )
        .arg(
            Arg::new("check-config")
                .long("check-config")
                .action(ArgAction::SetTrue)
                .help("Read the configuration and every file it names, say what is wrong, and end"),
        )
        .next_help_heading("Configuration keys (flag, then environment, then file)");
    for key in keys {
        let mut help = key.help.to_owned();
        if !key.default.is_empty() {
            help.push_str(&format!(" [default: {}]", key.default));
        }
        let mut arg = Arg::new(key.flag())
            .long(key.flag())
            .env(key.variable())
            .hide_env_values(true)
            .value_name(key.value)
            .help(help);
        if key.kind == Kind::Bool {
            arg = arg
                .num_args(0..=1)
                .default_missing_value("true")
                .require_equals(true);
        }
        command = command.arg(arg);
    }
    command
}

/// The first paragraph of what the argument parser says.
fn bad_usage(error: &clap::Error) -> Failure {
    if !error.use_stderr() {
        error.exit();
    }
    let text = error.to_string();
    let (first, _) = text.split_once("\n\n").unwrap_or((&text, ""));
    let says = first.strip_prefix("error: ").unwrap_or(first);
    Failure::Usage(format!("{says} (--help says more)"))
}

fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Bool => match text {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(format!("`{text}` is neither true nor false")),
        },
        Kind::List => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(Value::Array(
                parts.map(|part| Value::String(part.to_owned())).collect(),
            ))
        }
    }
}

fn insert(table: &mut Table, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            table.insert(name.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = table
                .entry(head)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// A key of a parsed file.
struct Leaf {
    name: String,
    /// The byte it stands at.
    at: usize,
    /// It has a table for a value, and that is empty.
    is_table: bool,
}

fn leaves(prefix: &str, table: &DeTable<'_>, found: &mut Vec<Leaf>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        match Spanned::get_ref(value) {
            DeValue::Table(inner) if !inner.is_empty() => {
                leaves(&format!("{name}."), inner, found);
            }
            value => found.push(Leaf {
                name,
                at: key.span().start,
                is_table: matches!(value, DeValue::Table(_)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::io::Write;

    const KEYS: &[Key] = &[
        Key {
            name: "listen",
            kind: Kind::Text,
            value: "ADDRESS",
            default: "127.0.0.1:1",
            help: "Where.",
        },
        Key {
            name: "mode",
            kind: Kind::Text,
            value: "MODE",
            default: "off",
            help: "How.",
        },
        Key {
            name: "tls.certificate",
            kind: Kind::Text,
            value: "FILE",
            default: "",
            help: "What.",
        },
        Key {
            name: "local_api.zones",
            kind: Kind::Bool,
            value: "BOOL",
            default: "false",
            help: "May.",
        },
        Key {
            name: "ids",
            kind: Kind::List,
            value: "IDS",
            default: "any",
            help: "Who.",
        },
    ];

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Off,
        On,
    }

    #[derive(Deserialize, Debug)]
    struct Tls {
        certificate: PathBuf,
    }

    #[derive(Deserialize, Debug, Default)]
    #[serde(default)]
    struct LocalApi {
        zones: bool,
    }

    #[derive(Deserialize, Debug)]
    struct Config {
        listen: Option<String>,
        mode: Option<Mode>,
        tls: Tls,
        #[serde(default)]
        local_api: LocalApi,
        #[serde(default)]
        ids: Vec<String>,
    }

    fn load(file: &str, flags: &[&str]) -> Result<Config, String> {
        loaded(file, flags).map(|loaded| loaded.config)
    }

    fn loaded(file: &str, flags: &[&str]) -> Result<Loaded<Config>, String> {
        let mut on_disk = tempfile::NamedTempFile::new().unwrap();
        on_disk.write_all(file.as_bytes()).unwrap();
        let path = on_disk.path().to_str().unwrap().to_owned();
        let mut args = vec!["test", "--config", &path];
        args.extend(flags);
        let matches = with_flags(Command::new("test"), KEYS, "/nonexistent").get_matches_from(args);
        let layers = Layers {
            keys: KEYS,
            matches,
            default_file: "/nonexistent",
        };
        layers
            .load::<Config>()
            .map_err(|failure| failure.to_string().replace(&path, "FILE"))
    }

    #[test]
    fn where_each_value_came_from_is_known() {
        let file = "listen = 'a'\nmode = 'on'\n[tls]\ncertificate = 'c'\n";
        let origins = loaded(file, &["--mode", "off"]).unwrap().origins;
        let of = |name| {
            let origin = origins.of(name)?;
            let place = origin.place.rsplit('/').next().unwrap_or_default();
            Some((origin.source, place.to_owned()))
        };
        assert_eq!(of("mode"), Some((Source::Process, "--mode".into())));
        let (source, place) = of("tls.certificate").unwrap();
        assert!(source == Source::File && place.ends_with(":4"), "{place}");
        assert_eq!(of("ids"), None);
    }

    #[test]
    fn a_flag_beats_the_file() {
        let config = load(
            "listen = 'a'\nmode = 'on'\nids = ['x']\n[tls]\ncertificate = 'c'\n",
            &["--listen", "b", "--local-api-zones", "--ids", "p, q"],
        )
        .unwrap();
        assert_eq!(config.listen.as_deref(), Some("b"));
        assert_eq!(config.mode, Some(Mode::On));
        assert_eq!(config.tls.certificate, PathBuf::from("c"));
        assert!(config.local_api.zones);
        assert_eq!(config.ids, ["p", "q"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = load(
            "listen = 'a'\n\n[tls]\ncertificate = 'c'\nzertifikat = 1\n",
            &[],
        )
        .unwrap_err();
        assert_eq!(
            error,
            "FILE:5: unknown key `tls.zertifikat`; --help lists the keys there are"
        );
    }

    #[test]
    fn a_number_that_is_too_large_to_be_read_is_named_with_its_line() {
        let error = load("mode = 'on'\nlisten = 99999999999999999999\n", &[]).unwrap_err();
        assert!(error.starts_with("FILE:2: "), "{error}");
    }

    #[test]
    fn an_empty_table_is_fine_where_keys_could_stand_in_it_and_nowhere_else() {
        let tls = "[tls]\ncertificate = 'c'\n";
        assert!(load(&format!("{tls}[local_api]\n"), &[]).is_ok());
        let unset = load("[tls]\n", &[]).unwrap_err();
        assert!(unset.starts_with("`tls.certificate` is not set"), "{unset}");
        for (table, says) in [
            ("[log]", "FILE:3: unknown key `log`"),
            ("[tls.more]", "FILE:3: unknown key `tls.more`"),
            ("[listen]", "FILE:3: listen: invalid type: map"),
        ] {
            let error = load(&format!("{tls}{table}\n"), &[]).unwrap_err();
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        let error = load("[tls]\ncertificate = 'c'\n", &["--mode", "maybe"]).unwrap_err();
        assert!(
            error.starts_with("--mode: mode: unknown variant `maybe`"),
            "{error}"
        );
        let error = load("mode = 'maybe'\n[tls]\ncertificate = 'c'\n", &[]).unwrap_err();
        assert!(
            error.starts_with("FILE:1: mode: unknown variant `maybe`"),
            "{error}"
        );
        let error = load("[tls]\ncertificate = 7\n", &[]).unwrap_err();
        assert!(
            error.starts_with("FILE:2: tls.certificate: invalid type"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_key_is_named_with_the_ways_to_set_it() {
        for file in ["", "[tls]\n"] {
            assert_eq!(
                load(file, &[]).unwrap_err(),
                "`tls.certificate` is not set: put it into the configuration file, \
                 or give --tls-certificate or PGSEAL_TLS_CERTIFICATE"
            );
        }
    }

    #[test]
    fn a_wrong_value_of_several_lines_is_named_in_one() {
        let error = load("mode = \"loud\\nand\\tlong\"\n", &[]).unwrap_err();
        assert!(error.contains("loud and long"), "{error}");
        assert!(!error.contains(char::is_control), "{error}");
    }

    #[test]
    fn what_is_no_toml_is_named_with_its_line() {
        let error = load("listen = 'a'\nmode = \n", &[]).unwrap_err();
        assert!(error.starts_with("FILE:2: "), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let matches = with_flags(Command::new("test"), KEYS, "/nonexistent").get_matches_from([
            "test",
            "--config",
            "/no/such.toml",
        ]);
        let layers = Layers {
            keys: KEYS,
            matches,
            default_file: "/nonexistent",
        };
        let error = layers.load::<Config>().err().unwrap().to_string();
        assert!(error.starts_with("/no/such.toml: "), "{error}");
    }
}
