//! Files that are there whole or not at all, after a crash or a kill at any step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::Error;

/// Writes a new file of this mode (less the umask), and to the disk, with its directory's entry. A
/// file that exists is left as it is.
pub fn write_new_file(path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
    let mut file = NewFile::begin(path, mode)?;
    file.write_all(content)
        .map_err(|source| not_made(path, source))?;
    file.keep()
}

/// A new file that gets its name when it is complete, so that whoever kills its writer leaves none.
///
/// Only where the file system cannot do so (NFS, some layered ones), it has its name from the
/// beginning, and a part of it may stay; dropped without [`NewFile::keep`], it is removed.
pub struct NewFile {
    file: File,
    path: PathBuf,
    /// It has its name already, and is not complete.
    named: bool,
}

impl NewFile {
    /// Begins a file of this mode (less the umask).
    pub fn begin(path: &Path, mode: u32) -> Result<Self, Error> {
        // Told before it is written; whether it still holds is seen at the end.
        if fs::symlink_metadata(path).is_ok() {
            return Err(Error::Exists { path: path.into() });
        }
        let unnamed = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(directory_of(path), unnamed, Mode::from_raw_mode(mode));
        let (file, named) = match opened {
            Ok(file) if Path::new("/proc/self/fd").is_dir() => (File::from(file), false),
            Ok(_) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let mut new = OpenOptions::new();
                let new = new.write(true).create_new(true).mode(mode).open(path);
                (new.map_err(|source| not_made(path, source))?, true)
            }
            Err(error) => return Err(not_made(path, error.into())),
        };
        Ok(NewFile {
            file,
            path: path.into(),
            named,
        })
    }

    /// It is complete, and goes to the disk.
    pub fn keep(mut self) -> Result<(), Error> {
        self.finish().map_err(|source| not_made(&self.path, source))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if !self.named {
            let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            rustix::fs::linkat(CWD, link, CWD, &self.path, AtFlags::SYMLINK_FOLLOW)?;
        }
        sync_directory_of(&self.path)?;
        self.named = false;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.named {
            remove(&self.path);
        }
    }
}

/// A file under way to a place: at that name with `.part` after it, of mode 0600 and empty, and
/// nobody else's for as long as this lives. Whatever an interrupted attempt has left there is taken
/// over.
pub(crate) struct Part {
    pub path: PathBuf,
    /// Holds the lock.
    file: File,
}

impl Part {
    /// Begins a file that is to be at `path`.
    pub fn begin(path: &Path) -> Result<Self, Error> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let failed = |source| not_made(path, source);
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(&part)
                .map_err(failed)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Err(Error::BeingMade { path: path.into() }),
                locked => locked.map_err(|error| failed(error.into()))?,
            }
            // Another one may have put it in its place before the lock was taken.
            if is_still_at(&file, &part).map_err(failed)? {
                file.set_len(0).map_err(failed)?;
                return Ok(Part { path: part, file });
            }
        }
    }

    /// Puts the file, which is complete, in its place, unless there is one.
    pub fn place_at(self, path: &Path) -> Result<(), Error> {
        let failed = |source| not_made(path, source);
        self.file.sync_all().map_err(failed)?;
        let placed = rustix::fs::renameat_with(CWD, &self.path, CWD, path, RenameFlags::NOREPLACE);
        match placed {
            // Not every file system can refuse to replace.
            Err(Errno::INVAL) => fs::hard_link(&self.path, path)
                .and_then(|()| fs::remove_file(&self.path))
                .map_err(failed)?,
            placed => placed.map_err(|error| failed(error.into()))?,
        }
        sync_directory_of(path).map_err(failed)
    }
}

fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(identity(found) == identity(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the directory entry of a new file to the disk: without it, a crash may lose the file
/// with the keys that values are already sealed to.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
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
