//! Files that must be there after a crash, or gone after a failure.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// Writes a new file of this mode (less the umask), and to the disk, with its directory's entry.
///
/// A file that exists is left as it is; one that cannot be written to its end is removed.
pub fn write_new_file(path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
    let mut file = create_new(path, mode)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_directory_of(path));
    written.map_err(|source| {
        remove(path);
        not_made(path, source)
    })
}

/// A new file that is written bit by bit; dropped without [`NewFile::keep`], it is removed again.
pub(crate) struct NewFile {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl NewFile {
    /// Makes an empty file of this mode (less the umask) that was not there.
    pub fn create(path: &Path, mode: u32) -> Result<Self, Error> {
        Ok(Self {
            file: create_new(path, mode)?,
            path: path.into(),
            kept: false,
        })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes it to the disk, with its directory's entry: it stays.
    pub fn keep(mut self) -> Result<(), Error> {
        self.file
            .sync_all()
            .and_then(|()| sync_directory_of(&self.path))
            .map_err(|source| not_made(&self.path, source))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path);
        }
    }
}

/// Makes an empty file that was not there.
pub(crate) fn create_new(path: &Path, mode: u32) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|source| not_made(path, source))
}

/// Writes the directory entry of a new file to the disk: without it, a crash may lose the file
/// with the keys that values are already sealed to.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

/// Removes a file that this process made and could not finish.
///
/// The error of a failed removal is dropped on purpose: the caller returns the first one.
pub(crate) fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

pub(crate) fn not_made(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path },
        _ => Error::File {
            action: "make",
            path,
            source,
        },
    }
}
