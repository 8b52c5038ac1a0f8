//! One row for each configuration key: the flags, the environment variables and the reference in
//! the documentation are all made from it.

/// What a key's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; periods and sizes too.
    Text,
    /// `true` or `false`.
    Bool,
    /// Several texts: a list in the file, commas in a flag or variable.
    List,
}

/// A configuration key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file, dots for tables: `tls.certificate`.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// What the value stands for, in capitals: `ADDRESS`.
    pub value: &'static str,
    /// What holds when it is not set; empty where it must be.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub help: &'static str,
}

impl Key {
    /// A key whose value is text.
    #[must_use]
    pub const fn text(
        name: &'static str,
        value: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        let kind = Kind::Text;
        Self {
            name,
            kind,
            value,
            default,
            help,
        }
    }

    /// A key whose value is a list.
    #[must_use]
    pub const fn list(
        name: &'static str,
        value: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            kind: Kind::List,
            ..Self::text(name, value, default, help)
        }
    }

    /// The key as a long flag, without the dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }

    /// The key as an environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("PGSEAL_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// Two tables of keys as one of `N`, which is as long as both.
///
/// # Panics
/// Where it is not.
#[must_use]
pub const fn join<const N: usize>(first: &[Key], second: &[Key]) -> [Key; N] {
    assert!(first.len() + second.len() == N, "N is the sum of both");
    let mut all = [Key {
        name: "",
        kind: Kind::Text,
        value: "",
        default: "",
        help: "",
    }; N];
    // There are no iterators in constants.
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() {
            first[at]
        } else {
            second[at - first.len()]
        };
        at += 1;
    }
    all
}

/// The keys as a table for the documentation, in Markdown.
#[must_use]
pub fn reference(keys: &[Key]) -> String {
    let mut text = String::from(
        "| key | flag | environment variable | default | what it does |\n|---|---|---|---|---|\n",
    );
    for key in keys {
        let default = match key.default {
            "" => "must be set".to_owned(),
            default => format!("`{default}`"),
        };
        text.push_str(&format!(
            "| `{}` | `--{} {}` | `{}` | {default} | {} |\n",
            key.name,
            key.flag(),
            key.value,
            key.variable(),
            key.help.replace('|', "\\|"),
        ));
    }
    text
}

/// Where a table of keys and the type it describes disagree, one line each: a field that is no key,
/// a key that is no field, a default that is another than the table says. For a program's tests.
///
/// `defaults` is the type's value when only what must be set is set.
#[must_use]
pub fn differences(keys: &[Key], defaults: &serde_json::Value) -> Vec<String> {
    let mut fields = Vec::new();
    leaves("", defaults, &mut fields);
    let mut found = Vec::new();
    for (name, value) in &fields {
        let Some(key) = keys.iter().find(|key| key.name == name) else {
            found.push(format!("the field `{name}` is no key"));
            continue;
        };
        let default = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Bool(value) => value.to_string(),
            // Nothing by default: the table says in words what holds then.
            _ => continue,
        };
        if !key.default.is_empty() && key.default != default {
            found.push(format!(
                "`{name}` is {default} by default, not {}",
                key.default
            ));
        }
    }
    for key in keys {
        if !fields.iter().any(|(name, _)| name == key.name) {
            found.push(format!("the key `{}` is no field", key.name));
        }
    }
    found
}

/// The keys that are other in `new` than in `old`, but for those that `live` names: they wait for
/// the program's next start, and an operator is told so.
#[must_use]
pub fn waiting_for_restart(
    old: &serde_json::Value,
    new: &serde_json::Value,
    live: &[&str],
) -> Vec<String> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    leaves("", old, &mut before);
    leaves("", new, &mut after);
    after
        .into_iter()
        .filter(|(name, value)| {
            !live.contains(&name.as_str())
                && !before
                    .iter()
                    .any(|(known, before)| known == name && before == value)
        })
        .map(|(name, _)| name)
        .collect()
}

fn leaves<'a>(
    prefix: &str,
    value: &'a serde_json::Value,
    found: &mut Vec<(String, &'a serde_json::Value)>,
) {
    let serde_json::Value::Object(table) = value else {
        return;
    };
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            serde_json::Value::Object(_) => leaves(&format!("{name}."), value, found),
            _ => found.push((name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_changed_keys_that_are_not_live_wait_for_a_restart() {
        let old = json!({ "listen": "a", "mode": "off", "tls": { "ca": "x" }, "log": { "level": "info" } });
        let new = json!({ "listen": "b", "mode": "on", "tls": { "ca": "y" }, "log": { "level": "debug" } });
        assert_eq!(
            waiting_for_restart(&old, &new, &["mode", "log.level"]),
            ["listen", "tls.ca"]
        );
        assert!(waiting_for_restart(&old, &old, &[]).is_empty());
    }

    #[test]
    fn disagreements_between_keys_and_fields_are_found() {
        const KEYS: &[Key] = &[
            Key {
                name: "a",
                kind: Kind::Text,
                value: "A",
                default: "1",
                help: "",
            },
            Key {
                name: "gone",
                kind: Kind::Text,
                value: "A",
                default: "",
                help: "",
            },
        ];
        let found = differences(KEYS, &json!({ "a": "2", "more": { "b": "x" } }));
        assert_eq!(
            found,
            [
                "`a` is 2 by default, not 1",
                "the field `more.b` is no key",
                "the key `gone` is no field"
            ]
        );
    }
}
