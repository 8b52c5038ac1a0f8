//! Which users of this host may connect to a unix socket: `allow_users`.

use std::collections::BTreeSet;
use std::fmt;

use nix::unistd;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::listen::Peer;

/// What the kernel shows in place of a user that this namespace does not know
/// (`/proc/sys/kernel/overflowuid`), whoever it is.
const UNKNOWN: u32 = 65534;

/// The id that is none (chown(2)).
const NONE: u32 = u32::MAX;

/// One user as a configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// By a name of this host.
    Name(String),
    /// By number.
    Id(u32),
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrId)
    }
}

struct NameOrId;

impl Visitor<'_> for NameOrId {
    type Value = User;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user's name or number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<User, E> {
        Ok(text
            .parse()
            .map_or_else(|_| User::Name(text.to_owned()), User::Id))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<User, E> {
        u32::try_from(number)
            .map(User::Id)
            .map_err(|_| E::custom(format!("{number} is no user's number")))
    }
}

/// The users that may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowUsers(BTreeSet<u32>);

impl AllowUsers {
    /// The users named; where none is, the one that this program runs as, and no other: not even
    /// root.
    ///
    /// # Errors
    /// In a line: a user that there is not, or that could be anybody.
    pub fn new(users: &[User]) -> Result<Self, String> {
        if users.is_empty() {
            return Ok(Self::alone(unistd::geteuid().as_raw()));
        }
        users.iter().map(uid).collect::<Result<_, _>>().map(Self)
    }

    /// The user that this program runs as; nobody if it runs as one that stands for others too.
    fn alone(own: u32) -> Self {
        Self([own].into_iter().filter(|own| !is_anybody(*own)).collect())
    }

    /// Whether this peer may stay. By TCP nothing tells who it is: there, all may.
    #[must_use]
    pub fn permit(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Address(_) => true,
            Peer::User { uid, .. } => self.0.contains(uid),
        }
    }
}

fn uid(user: &User) -> Result<u32, String> {
    let uid = match user {
        User::Id(id) => *id,
        User::Name(name) => match unistd::User::from_name(name) {
            Ok(Some(found)) => found.uid.as_raw(),
            Ok(None) => return Err(format!("there is no user `{name}` on this host")),
            Err(cause) => return Err(format!("the user `{name}` cannot be looked up: {cause}")),
        },
    };
    if is_anybody(uid) {
        return Err(format!(
            "`{user}` ({uid}) stands for every user that this host does not know; name users of \
             their own"
        ));
    }
    Ok(uid)
}

fn is_anybody(uid: u32) -> bool {
    matches!(uid, UNKNOWN | NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> Peer {
        Peer::User { uid, pid: None }
    }

    #[test]
    fn users_are_named_or_numbered() {
        let read = |list: &str| {
            let table: toml::Table = toml::from_str(&format!("users = {list}")).unwrap();
            table["users"].clone().try_into::<Vec<User>>()
        };
        let users = read("['root', '1000', 1001]").unwrap();
        assert_eq!(
            users,
            [User::Name("root".into()), User::Id(1000), User::Id(1001)]
        );
        let allowed = AllowUsers::new(&users).unwrap();
        for (uid, expected) in [(0, true), (1000, true), (1001, true), (1002, false)] {
            assert_eq!(allowed.permit(&user(uid)), expected, "{uid}");
        }
        for wrong in ["-1", "4294967296", "true"] {
            assert!(read(&format!("[{wrong}]")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_a_list_the_programs_own_user_is_allowed_alone() {
        let own = unistd::geteuid().as_raw();
        let allowed = AllowUsers::new(&[]).unwrap();
        assert!(allowed.permit(&user(own)));
        assert!(!allowed.permit(&user(own + 1)));
        assert!(allowed.permit(&Peer::Address(([127, 0, 0, 1], 1).into())));
    }

    #[test]
    fn a_program_that_runs_as_nobody_lets_in_nobody_unless_others_are_named() {
        assert!(!AllowUsers::alone(UNKNOWN).permit(&user(UNKNOWN)));
        assert!(AllowUsers::alone(1000).permit(&user(1000)));
    }

    #[test]
    fn a_user_that_there_is_not_or_that_is_anybody_is_refused() {
        for (named, why) in [
            (User::Name("no such user".into()), "there is no user"),
            (User::Name(String::new()), "there is no user"),
            (User::Id(65534), "every user that this host does not know"),
            (
                User::Id(u32::MAX),
                "every user that this host does not know",
            ),
        ] {
            let error = AllowUsers::new(&[User::Id(1), named]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
