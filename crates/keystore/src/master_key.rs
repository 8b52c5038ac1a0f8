//! The master key: its text form, and where it is read.
//!
//! What is derived from it stands in `seal`.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::{Error, durable, seal};

/// What the text of a master key begins with; the number is the version of this form.
const PREFIX: &str = "pgseal-master-1.";
/// Length of 32 bytes in base64url without padding.
const BASE64_LENGTH: usize = 43;
/// Length of a master key's text.
const TEXT_LENGTH: usize = PREFIX.len() + BASE64_LENGTH;

/// The key that every record of a store is sealed under: 32 random bytes, wiped when dropped.
///
/// It lies on the heap, so that moving it leaves no copy behind.
pub struct MasterKey(Box<Zeroizing<[u8; 32]>>);

impl MasterKey {
    /// A new key from the operating system's generator.
    pub fn generate() -> Result<Self, Error> {
        let mut key = MasterKey(Box::default());
        getrandom::fill(key.0.as_mut_slice()).map_err(|_| Error::NoRandom)?;
        Ok(key)
    }

    /// The key in a file that only its owner can reach.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        // The key itself in place of its file's name must not go on into an error.
        if path.to_string_lossy().starts_with(PREFIX) {
            return Err(Error::KeyForPath);
        }
        Self::from_secret(&Secret::from_file(path)?, || path.display().to_string())
    }

    /// The key that `sh -c command` writes to its output.
    pub fn from_command(command: &str) -> Result<Self, Error> {
        let secret = Secret::from_command("master key", command)?;
        Self::from_secret(&secret, || "the output of the master key command".into())
    }

    /// The key in the value of `PGSEAL_MASTER_KEY`, which the caller has read.
    pub fn from_environment(value: &Secret) -> Result<Self, Error> {
        Self::from_secret(value, || "PGSEAL_MASTER_KEY".into())
    }

    /// Writes the key to a new file of mode 0600, and to the disk.
    ///
    /// A file that exists is left as it is; one that cannot be written to its end is removed.
    pub fn write_new(&self, path: &Path) -> Result<(), Error> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT_LENGTH + 1));
        self.write_text(&mut text);
        text.push('\n');
        durable::write_new_file(path, 0o600, text.as_bytes())
    }

    /// Names the key without telling it: so that a wrong key is told from a damaged store.
    pub fn id(&self) -> MasterKeyId {
        MasterKeyId(seal::master_key_id(self))
    }

    /// Of 32 bytes; `None` for another number of them.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = MasterKey(Box::default());
        let fits = bytes.len() == key.0.len();
        fits.then(|| {
            key.0.copy_from_slice(bytes);
            key
        })
    }

    pub(crate) fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }

    /// Adds the key's text form, [`TEXT_LENGTH`] bytes.
    fn write_text(&self, text: &mut String) {
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(self.expose_secret(), text);
    }

    fn from_secret(secret: &Secret, origin: impl Fn() -> String) -> Result<Self, Error> {
        Self::from_text(secret.expose_secret())
            .ok_or_else(|| Error::NotAMasterKey { origin: origin() })
    }

    /// `pgseal-master-1.` and 32 bytes in base64url without padding, nothing else.
    fn from_text(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        if encoded.len() != BASE64_LENGTH {
            return None;
        }
        let mut key = MasterKey(Box::default());
        let length = URL_SAFE_NO_PAD
            .decode_slice(encoded, key.0.as_mut_slice())
            .ok()?;
        (length == key.0.len()).then_some(key)
    }
}

/// Names a master key: 8 bytes derived from it, shown as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MasterKeyId(pub(crate) [u8; 8]);

impl FromStr for MasterKeyId {
    type Err = NotAMasterKeyId;

    fn from_str(text: &str) -> Result<Self, NotAMasterKeyId> {
        u64::from_str_radix(text, 16)
            .map(|id| MasterKeyId(id.to_be_bytes()))
            .ok()
            .filter(|id| id.to_string() == text)
            .ok_or(NotAMasterKeyId)
    }
}

/// A text that is no master key's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a master key's id, which is 16 hexadecimal digits in lower case")]
pub struct NotAMasterKeyId;

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_given_for_its_files_name_is_not_repeated() {
        let mut text = String::new();
        MasterKey::generate().unwrap().write_text(&mut text);
        let error = MasterKey::from_file(Path::new(&text)).err().unwrap();
        assert!(!error.to_string().contains(&text));
        assert!(matches!(error, Error::KeyForPath));
    }

    #[test]
    fn a_key_reads_back_from_the_file_it_was_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let key = MasterKey::generate().unwrap();
        key.write_new(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600);
        let again = MasterKey::from_file(&path).unwrap();
        assert!(again.expose_secret() == key.expose_secret());
        assert_eq!(again.id(), key.id());
        let by_command = MasterKey::from_command(&format!("cat '{}'", path.display())).unwrap();
        assert!(by_command.expose_secret() == key.expose_secret());
    }

    #[test]
    fn an_existing_file_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        fs::write(&path, "something else").unwrap();
        let error = MasterKey::generate().unwrap().write_new(&path).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }));
        assert_eq!(fs::read(&path).unwrap(), b"something else");
    }

    #[test]
    fn texts_that_are_no_master_key_are_refused_and_not_repeated() {
        let mut good = String::new();
        MasterKey::generate().unwrap().write_text(&mut good);
        assert_eq!(good.len(), TEXT_LENGTH);
        assert!(MasterKey::from_text(&good).is_some());
        let body = &good[PREFIX.len()..];
        for bad in [
            String::new(),
            body.to_owned(),
            format!("pgseal-master-2.{body}"),
            format!(" {good}"),
            format!("{good} "),
            format!("{good}="),
            format!("{good}A"),
            good[..good.len() - 1].to_owned(),
            // The last character carries two bits that must be zero.
            format!("{PREFIX}{}", "B".repeat(BASE64_LENGTH)),
            format!("{PREFIX}{}", "+".repeat(BASE64_LENGTH)),
        ] {
            let error = MasterKey::from_environment(&Secret::from(bad.clone()))
                .map(drop)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("PGSEAL_MASTER_KEY holds no"), "{error}");
            assert!(bad.is_empty() || !error.contains(&bad));
        }
    }
}
