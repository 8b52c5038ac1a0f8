//! Each program's configuration: what its file and its flags say is what is loaded, and an error is one
//! line that says where.

mod meant;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::Command;
use daemon::{Failure, Key, Kind, Layers, Loaded, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// The first byte says whose configuration it is. Lines that begin with `--` are flags; the rest is the
/// file.
pub fn run(bytes: &[u8]) {
    let Some((program, text)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let (flags, file) = flags(text);
    fs::write(&*FILE, file).expect("a temporary file can be written");
    match program % 3 {
        0 => check(&SERVER, &flags, file, meant::server),
        1 => check(&CONNECTOR, &flags, file, meant::connector),
        _ => check(&WEBCONFIG, &flags, file, meant::webconfig),
    }
    fs::remove_file(&*FILE).expect("it was written");
}

/// Where this process writes what a program is to read.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("pgseal-fuzz-{}.toml", std::process::id());
    std::env::temp_dir().join(name)
});

// Made once: clap takes longer for it than anything else here.
static SERVER: LazyLock<Program> = LazyLock::new(|| Program::new(pgseal_server::config::KEYS));
static CONNECTOR: LazyLock<Program> =
    LazyLock::new(|| Program::new(pgseal_connector::config::KEYS));
static WEBCONFIG: LazyLock<Program> =
    LazyLock::new(|| Program::new(pgseal_webconfig::config::KEYS));

/// A program, as it is without flags.
struct Program {
    keys: &'static [Key],
    plain: Layers,
}

impl Program {
    fn new(keys: &'static [Key]) -> Self {
        match layers(keys, &[]) {
            Ok(plain) => Self { keys, plain },
            Err(_) => panic!("there is nothing wrong with the command line"),
        }
    }

    /// The key that a flag is of.
    fn key(&self, flag: &str) -> Option<&'static Key> {
        let name = flag.strip_prefix("--")?;
        self.keys.iter().find(|key| key.flag() == name)
    }
}

fn layers(keys: &'static [Key], flags: &[&str]) -> Result<Layers, Failure> {
    let file = FILE.to_str().expect("a temporary file's name is a text");
    let arguments = ["program", "--config", file].into_iter();
    let arguments = arguments.chain(flags.iter().copied());
    Layers::from_arguments(Command::new("program"), keys, "", arguments)
}

/// The flags, and where the file begins. What would read another file, or end this process, is none.
fn flags(text: &str) -> (Vec<&str>, &str) {
    let mut flags = Vec::new();
    let mut rest = text;
    while rest.starts_with("--") {
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        let (name, _) = line.split_once('=').unwrap_or((line, ""));
        if !matches!(name, "--" | "--config" | "--help") {
            flags.push(line);
        }
        rest = behind;
    }
    (flags, rest)
}

/// `meant` checks what a configuration says, and what each key alone does not show.
fn check<C: DeserializeOwned + Serialize>(
    program: &Program,
    flags: &[&str],
    file: &str,
    meant: fn(&C, &Table),
) {
    let expected = by_hand(program, flags, file);
    let made;
    let layers = match flags {
        [] => &program.plain,
        _ => match layers(program.keys, flags) {
            Ok(layers) => {
                made = layers;
                &made
            }
            Err(failure) => {
                let line = failure.to_string();
                assert!(!line.contains('\n'), "it is one line: {line}");
                return assert!(flags.iter().any(|flag| is_odd(program, flag)) || repeats(flags));
            }
        },
    };
    match layers.load::<C>() {
        Ok(loaded) => accepted(
            program,
            flags,
            file,
            &loaded,
            &expected.expect("it is right"),
            meant,
        ),
        Err(Failure::Usage(line)) => {
            let right = expected.and_then(|table| table.try_into::<C>().ok());
            assert!(right.is_none(), "there is nothing wrong: {line}");
            refused(program, flags, &line);
        }
        Err(Failure::Failed(line)) => panic!("only what is written is wrong: {line}"),
    }
}

/// Whether clap has a word to say about a flag.
fn is_odd(program: &Program, flag: &str) -> bool {
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    match program.key(name) {
        Some(key) => value.is_none() && key.kind != Kind::Bool,
        None => flag != "--check-config",
    }
}

fn repeats(flags: &[&str]) -> bool {
    let name = |flag: &&str| flag.split('=').next().map(str::to_owned);
    let mut names: Vec<_> = flags.iter().filter_map(name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// What file and flags say together, without where; nothing where a part of it is wrong by itself.
fn by_hand(program: &Program, flags: &[&str], file: &str) -> Option<Table> {
    let mut table: Table = toml::from_str(file).ok()?;
    let known = |name: &str| program.keys.iter().any(|key| key.name == name);
    if !leaves("", &table).iter().all(|name| known(name)) {
        return None;
    }
    for flag in flags {
        let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
        let Some(key) = program.key(name) else {
            continue;
        };
        let value = match (key.kind, value) {
            (Kind::Text, text) => text.into(),
            (Kind::Bool, text) => text.parse::<bool>().ok()?.into(),
            (Kind::List, texts) => {
                let texts = texts.split(',').map(str::trim).filter(|it| !it.is_empty());
                texts.map(Value::from).collect::<Vec<_>>().into()
            }
        };
        let (tables, last) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        let mut inner = &mut table;
        for name in tables.split('.').filter(|name| !name.is_empty()) {
            let empty = || Table::new().into();
            inner = inner.entry(name).or_insert_with(empty).as_table_mut()?;
        }
        inner.insert(last.to_owned(), value);
    }
    Some(table)
}

fn leaves(prefix: &str, table: &Table) -> Vec<String> {
    let leaf = |(name, value): (&String, &Value)| match value {
        Value::Table(inner) => leaves(&format!("{prefix}{name}."), inner),
        _ => vec![format!("{prefix}{name}")],
    };
    table.iter().flat_map(leaf).collect()
}

/// It is what was said, each value is known to be from where it is, and it can be written.
fn accepted<C: DeserializeOwned + Serialize>(
    program: &Program,
    flags: &[&str],
    file: &str,
    loaded: &Loaded<C>,
    said: &Table,
    meant: fn(&C, &Table),
) {
    let table = Table::try_from(&loaded.config).expect("what was read can be written");
    let again = said.clone().try_into::<C>().expect("it is right");
    assert_eq!(Table::try_from(&again).ok().as_ref(), Some(&table));
    let again = table
        .clone()
        .try_into::<C>()
        .expect("what was written can be read");
    assert_eq!(Table::try_from(&again).ok().as_ref(), Some(&table));
    assert_eq!(loaded.check_only, flags.contains(&"--check-config"));
    let by_flag = |key: &Key| {
        let flag = format!("--{}", key.flag());
        flags.iter().any(|it| it.split('=').next() == Some(&flag))
    };
    let in_file: Table = toml::from_str(file).expect("it was loaded");
    let in_file = leaves("", &in_file);
    for key in program.keys {
        let origin = loaded.origins.of(key.name);
        match origin.map(|origin| (origin.source, origin.place.as_str())) {
            Some((Source::Process, place)) => {
                assert!(by_flag(key));
                assert_eq!(place, format!("--{}", key.flag()));
            }
            Some((Source::File, place)) => {
                assert!(!by_flag(key));
                let line = place
                    .rsplit(':')
                    .next()
                    .and_then(|line| line.parse::<usize>().ok());
                let line = line.and_then(|line| file.split('\n').nth(line.checked_sub(1)?));
                let last = key.name.rsplit('.').next().unwrap_or_default();
                let is_there = |line: &str| line.contains(last) || line.contains('\\');
                // An empty table is where its values would be.
                let is_there = line.is_some_and(is_there);
                assert!(
                    is_there || !in_file.iter().any(|name| name == key.name),
                    "{place}"
                );
            }
            None => {
                assert!(!by_flag(key) && !in_file.iter().any(|name| name == key.name));
            }
        }
    }
    meant(&loaded.config, &table);
}

/// One line that begins with where it is wrong, or names the key that is missing.
fn refused(program: &Program, flags: &[&str], line: &str) {
    assert!(!line.contains(char::is_control), "it is one line: {line}");
    let file = FILE.display().to_string();
    let place = line
        .strip_prefix(&file)
        .and_then(|rest| rest.strip_prefix(':'));
    let in_file = place.and_then(|rest| rest.split(':').next());
    let in_file = in_file.is_some_and(|number| number.parse::<usize>().is_ok());
    let by_flag = flags.iter().any(|flag| {
        let name = flag.split('=').next().unwrap_or_default();
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(':'))
    });
    let missing = program
        .keys
        .iter()
        .any(|key| line.starts_with(&format!("`{}` is not set: ", key.name)));
    assert!(in_file || by_flag || missing, "{line}");
}
