//! Files that are there whole or not at all, after a crash or a kill at any step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::Error;

/// Writes a new file of this mode (less the umask), and to the disk, with its directory's entry.
///
/// A file that exists is left as it is. The file gets its name when it is complete, so that whoever
/// kills this leaves none; only where the file system cannot do so (NFS, some layered ones), a part
/// of it may stay.
pub fn write_new_file(path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
    let unnamed = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::open(directory_of(path), unnamed, Mode::from_raw_mode(mode)) {
        Ok(file) => {
            let mut file = File::from(file);
            let link = format!("/proc/self/fd/{}", file.as_raw_fd());
            let written = file.write_all(content).and_then(|()| file.sync_all());
            written.map_err(|source| not_made(path, source))?;
            match rustix::fs::linkat(CWD, link, CWD, path, AtFlags::SYMLINK_FOLLOW) {
                Ok(()) => sync_directory_of(path).map_err(|source| not_made(path, source)),
                // There is no /proc here.
                Err(Errno::NOENT) => write_in_place(path, mode, content),
                Err(error) => Err(not_made(path, error.into())),
            }
        }
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => write_in_place(path, mode, content),
        Err(error) => Err(not_made(path, error.into())),
    }
}

/// The same where no file can be made before it has a name; one that cannot be written to its end
/// is removed.
fn write_in_place(path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = made.map_err(|source| not_made(path, source))?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_directory_of(path));
    written.map_err(|source| {
        remove(path);
        not_made(path, source)
    })
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
