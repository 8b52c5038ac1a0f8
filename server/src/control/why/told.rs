//! What is told of the steps: each in a sentence.

use control::{Step, StepAnswer, ZoneMode};
use keystore::Permitted;

/// Clients of a zone's list that are named.
const MAX_NAMED: usize = 5;

/// What was found so far.
#[derive(Default)]
pub struct Steps(Vec<StepAnswer>);

impl Steps {
    /// One more.
    pub fn add(&mut self, step: Step, holds: Option<bool>, says: String) {
        self.0.push(StepAnswer { step, holds, says });
    }

    /// All of them: those that were not come to are not looked at.
    pub fn finish(mut self) -> Vec<StepAnswer> {
        let all = [
            Step::Key,
            Step::ZoneMode,
            Step::Permission,
            Step::Tag,
            Step::Usable,
            Step::Authentic,
        ];
        for step in all.into_iter().skip(self.0.len()) {
            let says = match step {
                Step::Authentic => "Not tried: a private key is used only where all else holds.",
                _ => "Not looked at.",
            };
            self.add(step, None, says.into());
        }
        self.0
    }
}

/// What zone mode opens.
pub fn of_mode(mode: ZoneMode, opens: bool) -> String {
    let kinds = match mode {
        ZoneMode::Off => "values sealed to a client",
        ZoneMode::On => "values sealed to a zone",
        ZoneMode::Mixed => "both kinds of values",
    };
    match opens {
        true => format!("Zone mode is {mode} here, which opens {kinds}."),
        false => format!("Zone mode is {mode} here, which opens {kinds} alone."),
    }
}

/// Who may open for a zone.
pub fn list(clients: &Permitted) -> String {
    let Permitted::Only(clients) = clients else {
        return "every client".into();
    };
    let named: Vec<_> = clients
        .iter()
        .take(MAX_NAMED)
        .map(ToString::to_string)
        .collect();
    match (named.as_slice(), clients.len().saturating_sub(MAX_NAMED)) {
        ([], _) => "nobody".into(),
        (named, 0) => named.join(", "),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_clients_is_told_in_part() {
        let only =
            |ids: &[&str]| Permitted::Only(ids.iter().map(|id| id.parse().unwrap()).collect());
        assert_eq!(list(&Permitted::All), "every client");
        assert_eq!(list(&only(&[])), "nobody");
        assert_eq!(list(&only(&["a", "b"])), "a, b");
        let seven = only(&["a", "b", "c", "d", "e", "f", "g"]);
        assert_eq!(list(&seven), "a, b, c, d, e and 2 more");
    }
}
