//! Who may sign in: a file of names, roles, what is kept of their passwords, and secrets for codes.
//!
//! One user a line, `name:role:hash`, or `name:role:hash:secret` where a code is asked for too. It is replaced as a whole, under a lock beside it, and read again
//! when it has changed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use control::NoName;
pub use control::UserName;
use rustix::fs::OFlags;

use crate::password::Kept;
use crate::totp::Secret;

/// The largest file that is read, in bytes: some thousands of users.
const MAX_FILE: u64 = 1 << 20;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Look.
    Viewer,
    /// Look and change.
    Operator,
}

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// What it may do.
    pub role: Role,
    /// What is kept of its password.
    pub password: Kept,
    /// What its codes are made with, if it is asked for one.
    pub secret: Option<Secret>,
}

/// All users, by name.
pub type Users = BTreeMap<UserName, User>;

/// The users' file cannot be used, or does not have what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The operating system refuses.
    #[error("users_file: {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        cause: io::Error,
    },
    /// Others than its owner may read it, or it is too large.
    #[error("users_file: {path}: {why}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: &'static str,
    },
    /// A line of it is none that was written here.
    #[error("users_file: {path}:{line}: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl Role {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            _ => Err(format!("`{text}` is neither viewer nor operator")),
        }
    }
}

/// The file, and what it held when it was read last.
pub struct UsersFile {
    path: PathBuf,
    read: Mutex<Option<(Stamp, Arc<Users>)>>,
}

/// By what a file that has been replaced is known.
type Stamp = (u64, u64, i64, i64);

impl UsersFile {
    /// The file at this path; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// The users as the file has them now. None where there is no file.
    ///
    /// # Errors
    /// It cannot be read, or is not one that was written here.
    pub fn users(&self) -> Result<Arc<Users>, UsersError> {
        let found = match fs::metadata(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            found => found.map_err(|cause| self.failed(cause))?,
        };
        if found.permissions().mode() & 0o077 != 0 {
            return Err(self.unfit("others may read it; run: chmod 600"));
        }
        if found.len() > MAX_FILE {
            return Err(self.unfit("it is too large"));
        }
        let stamp = (found.ino(), found.len(), found.mtime(), found.mtime_nsec());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, users)) = &*read
            && *before == stamp
        {
            return Ok(users.clone());
        }
        let text = fs::read_to_string(&self.path).map_err(|cause| self.failed(cause))?;
        let users = Arc::new(self.parse(&text)?);
        *read = Some((stamp, users.clone()));
        Ok(users)
    }

    /// Changes the users, all of the change or nothing of it; nobody else changes them meanwhile.
    ///
    /// # Errors
    /// The file cannot be read or written; or `change` refuses.
    pub fn change<E: From<UsersError>>(
        &self,
        change: impl FnOnce(&mut Users) -> Result<(), E>,
    ) -> Result<(), E> {
        let lock = self.beside(".lock");
        let locked = open_lock(&lock).and_then(|file| file.lock().map(|()| file));
        // It is given back when the file is closed.
        let _locked = locked.map_err(|cause| failed(&lock, cause))?;
        let mut users = Users::clone(&*self.users()?);
        change(&mut users)?;
        let new = self.beside(".new");
        self.write(&new, &users)
            .map_err(|cause| failed(&new, cause))?;
        Ok(())
    }

    fn write(&self, new: &Path, users: &Users) -> io::Result<()> {
        // What an earlier change left behind goes. Whoever may write to the directory puts no link there.
        match fs::remove_file(new) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(new)?;
        for (name, user) in users {
            let (role, hash) = (user.role.name(), user.password.as_str());
            match user.secret.as_ref().map(Secret::expose_secret) {
                Some(secret) => writeln!(file, "{name}:{role}:{hash}:{}", *secret)?,
                None => writeln!(file, "{name}:{role}:{hash}")?,
            }
        }
        // Written by root for a service: as readable to that as what is replaced, or its directory.
        let old = fs::metadata(&self.path).or_else(|_| fs::metadata(directory(&self.path)))?;
        if file.metadata()?.uid() != old.uid() {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        File::open(directory(&self.path))?.sync_all()
    }

    fn parse(&self, text: &str) -> Result<Users, UsersError> {
        let mut users = Users::new();
        for (number, line) in text.lines().enumerate() {
            let (name, user) = user(line).map_err(|why| UsersError::Line {
                path: self.path.clone(),
                line: number + 1,
                why,
            })?;
            users.insert(name, user);
        }
        Ok(users)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn failed(&self, cause: io::Error) -> UsersError {
        failed(&self.path, cause)
    }

    fn unfit(&self, why: &'static str) -> UsersError {
        UsersError::Unfit {
            path: self.path.clone(),
            why,
        }
    }
}

fn user(line: &str) -> Result<(UserName, User), String> {
    let mut parts = line.splitn(4, ':');
    let mut part = || parts.next().ok_or("not name:role:hash".to_owned());
    let (name, role, hash) = (part()?, part()?, part()?);
    let secret = parts.next().map(Secret::read).transpose();
    let name: UserName = name.parse().map_err(|error: NoName| error.to_string())?;
    let user = User {
        role: role.parse()?,
        password: Kept::read(hash).map_err(|error| error.to_string())?,
        secret: secret.map_err(|error| error.to_string())?,
    };
    Ok((name, user))
}

/// Opens the file that is locked, and follows no link.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn failed(path: &Path, cause: io::Error) -> UsersError {
    UsersError::File {
        path: path.into(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Password;

    fn add(file: &UsersFile, name: &str, role: Role) {
        let password = Password::from("correct horse".to_owned()).keep().unwrap();
        let change = |users: &mut Users| {
            let user = User {
                role,
                password,
                secret: None,
            };
            users.insert(name.parse().unwrap(), user);
            Ok::<_, UsersError>(())
        };
        file.change(change).unwrap();
    }

    #[test]
    fn a_change_is_seen_by_who_has_read_before_and_only_its_owner_may_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let (reader, writer) = (UsersFile::new(path.clone()), UsersFile::new(path.clone()));
        assert!(reader.users().unwrap().is_empty());
        add(&writer, "alice", Role::Operator);
        assert_eq!(reader.users().unwrap().len(), 1);
        add(&writer, "bob", Role::Viewer);
        let users = reader.users().unwrap();
        assert!(users[&"alice".parse().unwrap()].role == Role::Operator);
        assert!(users[&"bob".parse().unwrap()].role == Role::Viewer);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = reader.users().err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_change_that_is_refused_leaves_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let file = UsersFile::new(path.clone());
        add(&file, "alice", Role::Operator);
        let before = fs::read(&path).unwrap();
        let refuse = |users: &mut Users| {
            users.clear();
            Err(file.unfit("no"))
        };
        assert!(file.change(refuse).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_secret_stands_behind_the_password_and_is_there_when_the_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let file = UsersFile::new(path.clone());
        add(&file, "alice", Role::Operator);
        add(&file, "bob", Role::Viewer);
        let alice: UserName = "alice".parse().unwrap();
        let secret = Secret::new();
        let change = |users: &mut Users| {
            users.get_mut(&alice).unwrap().secret = Some(secret.clone());
            Ok::<_, UsersError>(())
        };
        file.change(change).unwrap();
        let users = UsersFile::new(path).users().unwrap();
        assert!(users[&alice].secret == Some(secret));
        assert!(users[&"bob".parse().unwrap()].secret.is_none());
    }

    #[test]
    fn a_line_that_was_not_written_here_is_named() {
        let hash = Password::from("correct horse".to_owned()).keep().unwrap();
        let with_secret = |secret: &str| format!("alice:viewer:{}:{secret}", hash.as_str());
        let file = UsersFile::new("users".into());
        for (text, says) in [
            ("alice", "users:1: not name:role:hash"),
            ("alice:king:x", "users:1: `king` is neither"),
            ("al ice:viewer:x", "users:1: a name is 1 to 64"),
            ("alice:viewer:secret", "users:1: not an argon2id hash"),
            ("\n", "users:1: not name:role:hash"),
            (&with_secret(""), "users:1: not a secret for codes"),
            (&with_secret("GEZDGNBV"), "users:1: not a secret for codes"),
        ] {
            let error = file.parse(text).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_link_that_somebody_put_beside_the_file_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("users"), dir.path().join("victim"));
        let file = UsersFile::new(path.clone());
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("users.new")).unwrap();
        add(&file, "alice", Role::Operator);
        assert!(!path.is_symlink());
        assert_eq!(file.users().unwrap().len(), 1);
        fs::remove_file(dir.path().join("users.lock")).unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("users.lock")).unwrap();
        let change = |_: &mut Users| Ok::<_, UsersError>(());
        assert!(file.change(change).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
