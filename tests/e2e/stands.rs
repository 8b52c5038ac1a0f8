//! The commands that documents name for the stands of `examples/stands` are commands that these know: the stand
//! is there, and so are the host, the sabotage, and the file that is run. That they do what is said of them is
//! for the stands to prove.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use harness::root;

use crate::operations::blocks;

/// What there is of one stand, by its script.
struct Stand {
    /// Hosts, and what else its arrays name, as variants.
    names: BTreeSet<String>,
    sabotages: BTreeSet<String>,
}

impl Stand {
    /// By what the script says: arrays of names, hosts that it adds, and sabotages that it knows.
    fn of(script: &str) -> Self {
        let mut names = BTreeSet::new();
        let mut sabotages = BTreeSet::new();
        let mut knows_sabotages = false;
        for line in script.lines() {
            let line = line.trim();
            let list = line.strip_prefix("add_host ");
            let list = list.or_else(|| line.split_once("=(").map(|(_, list)| list));
            for name in list.unwrap_or_default().split(['(', ')', ' ', '"']) {
                names.insert(name.to_owned());
            }
            knows_sabotages |= line == "declare -A sabotages=(";
            knows_sabotages &= line != ")";
            if let Some((name, _)) = line.split_once("]=").filter(|_| knows_sabotages) {
                sabotages.insert(name.trim_start_matches('[').to_owned());
            }
        }
        Self { names, sabotages }
    }

    /// What is wrong with a command, its words after the stand's name.
    fn objection(&self, words: &[&str]) -> Option<String> {
        let known = match words {
            [] | ["down" | "--help"] | ["up"] => true,
            ["up", variant] => {
                ["with-haproxy", "without-haproxy"].contains(variant)
                    || self.names.contains(*variant)
            }
            ["kill" | "stop" | "start", name] => self.runs(name),
            ["--sabotage", name] => self.sabotages.contains(*name),
            ["exec", host, program, arguments @ ..] => {
                self.names.contains(*host) && is_there(program, arguments)
            }
            _ => false,
        };
        (!known).then(|| words.join(" "))
    }

    /// Whether it may run a program of this name: a host's, or something's on a host.
    fn runs(&self, name: &str) -> bool {
        let on_host = name.split_once('-').map_or(name, |(_, host)| host);
        [name, on_host]
            .iter()
            .any(|name| self.names.contains(*name))
    }
}

/// Whether a program that an example application is run by finds it.
fn is_there(program: &str, arguments: &[&str]) -> bool {
    let script = arguments.first().filter(|_| program == "python");
    script.is_none_or(|file| root().join("examples/python").join(file).exists())
}

fn stands() -> BTreeMap<String, Stand> {
    let files = fs::read_dir(root().join("examples/stands")).unwrap();
    let names = files.filter_map(|file| file.unwrap().file_name().into_string().ok());
    let names = names.filter_map(|name| name.strip_suffix(".sh").map(ToOwned::to_owned));
    names
        .map(|name| {
            let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
            let mut script = read(&format!("examples/stands/{name}.sh"));
            let parts = script
                .lines()
                .filter_map(|line| line.strip_prefix("source "));
            script += &parts.map(read).collect::<String>();
            let stand = Stand::of(&script);
            (name, stand)
        })
        .collect()
}

/// The pieces of a line that stand between backticks.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The commands of a text, each the stand's name and its words: written out, as `bash examples/stands/NAME.sh …`;
/// in code that begins with a stand's name; and in blocks as `stand …`, which is short for `alias`. A text without
/// fences is a block.
fn commands<'a>(
    text: &'a str,
    alias: &'a str,
    known: &BTreeMap<String, Stand>,
) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut found = Vec::new();
    let mut add = |name: &'a str, rest: &'a str| {
        let rest = rest.split(" # ").next().unwrap_or_default();
        found.push((name, rest.split_whitespace().collect()));
    };
    let mut in_block = !text.contains("```");
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        if let Some((_, rest)) = line.split_once("bash examples/stands/") {
            let rest = rest.split(['`', '\'']).next().unwrap_or_default();
            if let Some((name, rest)) = rest.split_once(".sh") {
                add(name, rest);
            }
        } else if let Some(rest) = line.strip_prefix("stand ").filter(|_| in_block) {
            add(alias, rest);
        }
        for piece in code(line) {
            let (name, rest) = piece.split_once(' ').unwrap_or((piece, ""));
            if known.contains_key(name) {
                add(name, rest);
            }
        }
    }
    found
}

/// What is wrong with a text's commands.
fn objections(text: &str, alias: &str, known: &BTreeMap<String, Stand>) -> Vec<String> {
    let mut objections = Vec::new();
    for (name, words) in commands(text, alias, known) {
        match known.get(name) {
            // What is abridged is no command.
            Some(_) if words.contains(&"…") || words.contains(&"...") => {}
            Some(stand) => {
                objections.extend(stand.objection(&words).map(|it| format!("{name}: {it}")))
            }
            None => objections.push(format!("no stand {name}")),
        }
    }
    objections
}

#[test]
fn every_command_that_the_stands_own_document_names_is_one_that_they_know() {
    let known = stands();
    let readme = fs::read_to_string(root().join("examples/stands/README.md")).unwrap();
    assert_eq!(objections(&readme, "one-server", &known), [""; 0]);
    let named = commands(&readme, "one-server", &known);
    for name in known.keys() {
        let times = named.iter().filter(|(stand, _)| stand == name).count();
        assert!(times > 2, "{name} is named {times} times");
    }
    assert!(named.len() > 80, "only {} commands", named.len());
}

#[test]
fn every_command_for_a_stand_in_the_operations_document_is_one_that_it_knows() {
    let known = stands();
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let mut counted = 0;
    for block in blocks(&document) {
        let Some(stand) = &block.stand else { continue };
        let wrong = objections(&block.text, stand, &known);
        assert_eq!(wrong, [""; 0], "line {}", block.line);
        counted += commands(&block.text, stand, &known).len();
    }
    assert!(counted > 10, "only {counted} commands");
}

#[test]
fn a_command_that_no_stand_knows_is_found_out() {
    let known = stands();
    for wrong in [
        "bash examples/stands/three-servers.sh up",
        "`vip exec balancer-3 ip address`",
        "`vip --sabotage no-such`",
        "`vip upwards`",
        "`vip up with-nginx`",
        "`patroni exec pg-4 psql`",
        "`vip exec python-example python no_such.py`",
        "stand exec nobody psql",
    ] {
        assert_eq!(objections(wrong, "one-server", &known).len(), 1, "{wrong}");
    }
    for right in [
        "`vip exec haproxy-2 id`",
        "`patroni exec pg-3 psql`",
        "`vip --sabotage split`",
        "stand exec pgsql-slave psql",
    ] {
        assert_eq!(objections(right, "one-server", &known), [""; 0], "{right}");
    }
}
