//! Files that a command makes: all of them, or none.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::Error;

/// What a command has made so far; dropped without [`NewFiles::keep`], it is removed again.
///
/// Declare it before whatever holds the files open, so that it is dropped after.
#[derive(Default)]
pub struct NewFiles {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl NewFiles {
    /// Makes a directory of this mode (less the umask), unless there is one; those above it too, as
    /// `mkdir -p` does.
    pub fn directory(&mut self, path: &Path, mode: u32) -> Result<(), Error> {
        self.directory_of(path)?;
        match DirBuilder::new().mode(mode).create(path) {
            Ok(()) => self.directories.push(path.into()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(source) => {
                return Err(Error::File {
                    action: "make",
                    path: path.into(),
                    source,
                });
            }
        }
        Ok(())
    }

    /// Makes the directory that a secret is to lie in, unless there is one.
    pub fn private_directory_of(&mut self, path: &Path) -> Result<(), Error> {
        match path.parent() {
            Some(parent) if parent != Path::new("") => self.directory(parent, 0o700),
            _ => Ok(()),
        }
    }

    /// Makes the directory that `path` is to lie in, unless there is one.
    pub fn directory_of(&mut self, path: &Path) -> Result<(), Error> {
        match path.parent() {
            Some(parent) if parent != Path::new("") && !parent.is_dir() => {
                self.directory(parent, 0o755)
            }
            _ => Ok(()),
        }
    }

    /// Writes a file of this mode (less the umask) that was not there.
    pub fn file(&mut self, path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
        keystore::write_new_file(path, mode, content)?;
        self.made(path);
        Ok(())
    }

    /// Takes over a file that somebody else has just made for the command.
    pub fn made(&mut self, path: &Path) {
        self.files.push(path.into());
    }

    /// The command has succeeded: everything stays.
    pub fn keep(mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for NewFiles {
    /// Errors are dropped on purpose: the command's own is the one to tell.
    fn drop(&mut self) {
        for file in self.files.iter().rev() {
            let _ = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Refuses a file that somebody else has put there: a key that he knows would be taken for ours.
pub fn must_be_ours(path: &Path) -> Result<(), Error> {
    let found = fs::symlink_metadata(path).map_err(|source| Error::File {
        action: "read",
        path: path.into(),
        source,
    })?;
    if found.is_file() && found.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(Error::Unfit {
        path: path.into(),
        what: "is there, and is no file of this user; move it away",
    })
}

/// Whether there is something of this name.
pub fn is_taken(path: &Path) -> bool {
    // A link that leads nowhere is in the way too.
    fs::symlink_metadata(path).is_ok()
}

/// Refuses a path that is taken, before anything is asked or made.
pub fn must_be_free(path: &Path) -> Result<(), Error> {
    match is_taken(path) {
        true => Err(keystore::Error::Exists { path: path.into() }.into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_goes_unless_it_is_kept_and_what_was_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        let theirs = directory.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        let make = |files: &mut NewFiles| {
            files.directory(&theirs, 0o700).unwrap();
            files.file(&theirs.join("one"), 0o600, b"1").unwrap();
            files
                .directory(&directory.path().join("ours/deep"), 0o700)
                .unwrap();
            files
                .file(&directory.path().join("ours/deep/two"), 0o600, b"2")
                .unwrap();
        };
        let mut files = NewFiles::default();
        make(&mut files);
        drop(files);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);

        let mut files = NewFiles::default();
        make(&mut files);
        files.keep();
        assert_eq!(fs::read(theirs.join("one")).unwrap(), b"1");
        assert_eq!(
            fs::read(directory.path().join("ours/deep/two")).unwrap(),
            b"2"
        );
    }
}
