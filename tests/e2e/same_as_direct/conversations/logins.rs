//! Logging in: every way to prove oneself that PostgreSQL has passwords for, in both versions of the
//! protocol, and what follows.

use harness::Auth;
use harness::raw::message::{self, query};

use super::{Conversation, Start, Turn, talk};

/// Everybody's password.
pub const PASSWORD: &str = "open sesame";

/// Users who must prove themselves, by their names.
pub const USERS: [(&str, Auth); 3] = [
    ("clear", Auth::Password),
    ("md5", Auth::Md5),
    ("scram", Auth::ScramSha256),
];

pub fn all() -> Vec<Conversation> {
    let login = |name, version, user| {
        let turns = vec![Turn::new(b'Z', &[query("select s from rows where id = 1")])];
        talk(name, "TDCZ", turns).starting(Start {
            version,
            user,
            has_password: user != "postgres",
            ..Start::default()
        })
    };
    let (old, new) = (message::VERSION_3_0, message::VERSION_3_2);
    vec![
        login("no password, 3.0", old, "postgres"),
        login("no password, 3.2", new, "postgres"),
        login("a password in clear, 3.0", old, "clear"),
        login("a password in clear, 3.2", new, "clear"),
        login("a password by MD5, 3.0", old, "md5"),
        login("a password by MD5, 3.2", new, "md5"),
        login("a password by SCRAM, 3.0", old, "scram"),
        login("a password by SCRAM, 3.2", new, "scram"),
    ]
}
