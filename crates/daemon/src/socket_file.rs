//! The file of a unix socket: whose it is, and that it goes with the socket.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

/// Which file it is: what is at its path later may be another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl From<&fs::Metadata> for FileId {
    fn from(found: &fs::Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// A socket's file, removed when this is dropped while it is this process's.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: FileId,
    is_ours: AtomicBool,
}

impl SocketFile {
    /// One that this process has made.
    #[must_use]
    pub fn made(path: &Path, id: FileId) -> Self {
        Self {
            path: path.to_owned(),
            id,
            is_ours: AtomicBool::new(true),
        }
    }

    /// One that the predecessor has made, and that is not this process's yet.
    pub(crate) fn of_predecessor(path: &Path, id: FileId) -> Self {
        let file = Self::made(path, id);
        file.set_ours(false);
        file
    }

    /// Which it is.
    #[must_use]
    pub fn id(&self) -> FileId {
        self.id
    }

    /// Whether it is removed with this, from now on.
    pub(crate) fn set_ours(&self, is_ours: bool) {
        self.is_ours.store(is_ours, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !*self.is_ours.get_mut() {
            return;
        }
        let is_it = |found: fs::Metadata| FileId::from(&found) == self.id;
        if fs::symlink_metadata(&self.path).is_ok_and(is_it)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "the socket's file cannot be removed");
        }
    }
}
