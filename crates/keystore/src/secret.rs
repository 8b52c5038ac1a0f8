//! Secrets on their way in: a file that only its owner can reach, or a command's output.
//!
//! What the text means (a master key, a passphrase) is the caller's business.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::Error;

/// The most bytes that are read for one secret.
pub const MAX_SECRET: usize = 4096;

/// A secret as text, without the line end after it; wiped when dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret in `path`, which must be closed to group and others.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { path: path.into() },
            _ => Error::File {
                action: "read",
                path: path.into(),
                source,
            },
        };
        let file = File::open(path).map_err(failed)?;
        // Asked of the open file, so that nobody can put another in its place in between.
        check_mode(path, &file.metadata().map_err(failed)?)?;
        let bytes = read_capped(file).map_err(failed)?;
        Self::from_bytes(&bytes, || path.display().to_string())
    }

    /// What `sh -c command` writes to its output; `what` names the secret in errors.
    ///
    /// Its error output stays the caller's, its input is empty. A command that fails gives no
    /// secret, whatever it wrote.
    pub fn from_command(what: &'static str, command: &str) -> Result<Self, Error> {
        let failed = |source| Error::CommandNotRun { what, source };
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let output = child.stdout.take().expect("its output was piped");
        let read = read_capped(output);
        // The pipe is closed by now: a command with more to say ends on it.
        let status = child.wait().map_err(failed)?;
        let bytes = read.map_err(failed)?;
        if bytes.len() <= MAX_SECRET && !status.success() {
            return Err(Error::CommandFailed { what, status });
        }
        Self::from_bytes(&bytes, || format!("the output of the {what} command"))
    }

    /// The text, for the one who makes a key of it.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    fn from_bytes(bytes: &[u8], origin: impl Fn() -> String) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).ok();
        let text = text.filter(|text| text.len() <= MAX_SECRET);
        let text = text.ok_or_else(|| Error::NotASecret {
            origin: origin(),
            most: MAX_SECRET,
        })?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        Ok(Secret(Zeroizing::new(text.to_owned())))
    }
}

impl From<String> for Secret {
    /// A secret that came some other way: typed, or from the environment.
    fn from(text: String) -> Self {
        Secret(Zeroizing::new(text))
    }
}

/// Refuses a file that group or others can reach.
pub(crate) fn check_mode(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::LooseMode {
        path: path.into(),
        mode,
    })
}

/// Up to one byte more than a secret may have, in a buffer that never moves.
fn read_capped(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_SECRET));
    let one_more = u64::try_from(MAX_SECRET + 1).expect("a few thousand");
    from.take(one_more).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn from_command(command: &str) -> Result<String, String> {
        Secret::from_command("test", command)
            .map(|secret| secret.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn one_line_end_is_not_part_of_a_secret() {
        for (output, secret) in [
            ("word\\n", "word"),
            ("word\\r\\n", "word"),
            (" word \\n\\n", " word \n"),
            ("word", "word"),
            ("", ""),
        ] {
            let command = format!("printf '{output}'");
            assert_eq!(from_command(&command).unwrap(), secret);
        }
    }

    #[test]
    fn a_command_that_fails_gives_no_secret_and_is_not_repeated() {
        let error = from_command("echo canary; exit 3").unwrap_err();
        assert!(
            error.starts_with("the test command failed (exit status: 3)"),
            "{error}"
        );
        assert!(!error.contains("canary"));
    }

    #[test]
    fn a_command_that_never_stops_writing_is_cut_off() {
        let error = from_command("yes").unwrap_err();
        assert!(
            error.starts_with("the output of the test command is not a secret of at most 4096"),
            "{error}"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_no_secret() {
        assert!(from_command("printf '\\377'").is_err());
    }

    #[test]
    fn a_file_of_exactly_the_most_bytes_is_read_and_one_byte_more_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        for (length, fits) in [(MAX_SECRET, true), (MAX_SECRET + 1, false)] {
            fs::write(&path, "a".repeat(length)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(Secret::from_file(&path).is_ok(), fits);
        }
    }

    #[test]
    fn every_permission_of_group_or_others_is_refused_and_the_remedy_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, "secret").unwrap();
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600 | bit)).unwrap();
            let error = Secret::from_file(&path).map(drop).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(Secret::from_file(&path).is_ok());
        }
    }
}
