//! Directories for tests, and how they go away.
//!
//! All of a test program's directories lie in one, its *run directory*. That is in memory where
//! there is room, because ext4 is slow at making a thousand files just after a thousand were
//! removed, which is what one cluster after another does; and otherwise in `/tmp`. Both may be
//! entered by the user postgres, programs may be run from them, and their paths are short, as those
//! of unix sockets must be (107 bytes). A [`TestDir`] is removed when it is dropped. The run
//! directory itself is removed by a *janitor*, a shell that waits for the end of a pipe whose other
//! end only the test program holds. So it goes away after success, after a panic and after SIGKILL
//! alike.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Waits until the test program is gone, then removes its run directory. Processes of a killed
/// cluster are given a second to end first: without its files PostgreSQL ends in a panic, and that
/// leaves shared memory behind. Some may still be writing later, so it tries more than once. Network
/// namespaces and bridges that were made, a name on each line of `namespaces`, go too.
const JANITOR: &str = r#"
cat >/dev/null
sleep 1
while read -r name; do
    ip netns del "$name" || ip link del "$name"
done <"$1/namespaces"
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    rm -rf -- "$1" && exit
    sleep 0.25
done"#;

/// What must be free in `/dev/shm` for tests to use it, in bytes. A pair takes some 60 MB.
const ROOM: u64 = 4 << 30;

static RUN: LazyLock<Run> = LazyLock::new(Run::start);
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The run directory, and the janitor's end of the pipe.
struct Run {
    path: PathBuf,
    _janitor: Child,
}

impl Run {
    fn start() -> Self {
        let free = rustix::fs::statvfs("/dev/shm")
            .ok()
            .filter(|fs| !fs.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC))
            .map_or(0, |fs| fs.f_bavail * fs.f_frsize);
        let parent = if free >= ROOM { "/dev/shm" } else { "/tmp" };
        let path = tempfile::Builder::new()
            .prefix("pgseal-tests-")
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(parent)
            .unwrap_or_else(|error| panic!("making a directory in {parent}: {error}"))
            .keep();
        let janitor = Command::new("sh")
            .args(["-c", JANITOR, "pgseal-janitor"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C reaches the whole process group of the terminal; the janitor outlives it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("starting sh: {error}"));
        Self {
            path,
            _janitor: janitor,
        }
    }
}

/// A directory of one test, empty at first, removed with everything in it on drop.
#[derive(Debug)]
pub struct TestDir {
    path: PathBuf,
}

impl TestDir {
    /// Makes a new directory; `name` is for the eyes of whoever looks for it.
    pub fn new(name: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = RUN.path.join(format!("{number}-{name}"));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("making {}: {error}", path.display()));
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, content)
            .unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
        path
    }

    /// Writes a file that only its owner may read or write (mode 0600), and returns its path.
    pub fn write_private(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(name, content);
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .unwrap_or_else(|error| panic!("closing {}: {error}", path.display()));
        path
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        // What cannot be removed now is left to the janitor.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The directory that [`TestDir`]s of this test program lie in.
pub(crate) fn run_directory() -> &'static Path {
    &RUN.path
}
