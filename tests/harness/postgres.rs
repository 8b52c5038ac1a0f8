//! The PostgreSQL installation of this machine: where its programs are, which user may run its
//! server, and a data directory fresh from `initdb`, made once per test program and then copied.

use std::env;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::dir::run_directory;
use crate::program::{Finished, Program};

/// Where Debian keeps each version's programs, in `<version>/bin`.
const DEBIAN: &str = "/usr/lib/postgresql";

static BIN: LazyLock<PathBuf> = LazyLock::new(find);
static ACCOUNT: LazyLock<Option<Account>> = LazyLock::new(Account::find);
static TEMPLATE: LazyLock<PathBuf> = LazyLock::new(initdb);

/// The user that PostgreSQL runs as where the test is root, because it refuses root.
struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    const NAME: &'static str = "postgres";

    fn find() -> Option<Self> {
        rustix::process::geteuid().is_root().then(|| Self {
            uid: id("-u"),
            gid: id("-g"),
        })
    }
}

/// A program of PostgreSQL, such as `postgres` or `pg_dump`. Those that need its server's data run
/// with [`as_owner`].
pub(crate) fn program(name: &str) -> Program {
    Program::at(BIN.join(name))
}

/// Runs a program as the user that owns the databases.
pub fn as_owner(program: Program) -> Program {
    program.account(ACCOUNT.as_ref().map(|_| Account::NAME))
}

/// Gives a file or directory to the user that owns the databases.
pub fn give(path: &Path) {
    if let Some(account) = ACCOUNT.as_ref() {
        chown(path, Some(account.uid), Some(account.gid))
            .unwrap_or_else(|error| panic!("giving {} away: {error}", path.display()));
    }
}

/// Makes `to` a new data directory.
pub(crate) fn copy_template(to: &Path) {
    as_owner(Program::at("/bin/cp").arg("-a").arg(&*TEMPLATE).arg(to))
        .run()
        .success();
}

/// Runs `psql` on a connection string, such as [`Address::conninfo`](crate::Address::conninfo),
/// without a start-up file, and stops at the first error.
pub fn psql<A: AsRef<str>>(conninfo: &str, arguments: impl IntoIterator<Item = A>) -> Finished {
    psql_program(conninfo, arguments).run()
}

/// [`psql`], not run yet.
pub fn psql_program<A: AsRef<str>>(
    conninfo: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Program {
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.as_ref().to_owned())
        .collect();
    program("psql")
        .args(["-X", "-v", "ON_ERROR_STOP=1", conninfo])
        .args(arguments)
}

fn find() -> PathBuf {
    if let Some(given) = env::var_os("PGSEAL_POSTGRES_BIN_DIR") {
        return given.into();
    }
    let version = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let has_server = |path: &PathBuf| path.join("postgres").is_file();
    let installed = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let newest = installed
        .map(|entry| entry.path().join("bin"))
        .filter(has_server)
        .max_by_key(version);
    let path = env::var_os("PATH").unwrap_or_default();
    newest
        .or_else(|| env::split_paths(&path).find(has_server))
        .unwrap_or_else(|| panic!("no PostgreSQL to test with: `apt-get install postgresql`"))
}

fn initdb() -> PathBuf {
    let home = run_directory().join("template");
    fs::create_dir(&home).unwrap_or_else(|error| panic!("making {}: {error}", home.display()));
    give(&home);
    let data = home.join("data");
    let options = [
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
        // Megabytes. Small segments make a data directory that is quick to copy.
        "--wal-segsize=1",
    ];
    as_owner(program("initdb").args(options).arg("-D").arg(&data))
        .run()
        .success();
    data
}

fn id(option: &str) -> u32 {
    let output = Command::new("id").args([option, Account::NAME]).output();
    let output = output.unwrap_or_else(|error| panic!("running id: {error}"));
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap_or_else(|_| {
            panic!(
                "PostgreSQL does not run as root and there is no user {}",
                Account::NAME
            )
        })
}
