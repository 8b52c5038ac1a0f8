//! Python with the packages that the examples and the drivers' programs need.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::program::{Program, build_directory};

/// The Python package with all that it can be used with.
const PACKAGE: &str = "./sdk/python[sqlalchemy]";

/// What is installed beside it.
const REQUIREMENTS: [&str; 3] = [
    "examples/python/requirements.txt",
    "tests/drivers/python/requirements.txt",
    "tests/requirements.txt",
];

static INTERPRETER: LazyLock<PathBuf> =
    LazyLock::new(|| env::var_os("PGSEAL_PYTHON").map_or_else(virtual_environment, PathBuf::from));

/// A Python program that is to run with these arguments, such as a script and its options. The
/// interpreter is that in `PGSEAL_PYTHON`, or else one in a virtual environment that is made once
/// in the build directory. The package `pgseal` is that of the source tree.
pub fn python<A: AsRef<str>>(arguments: impl IntoIterator<Item = A>) -> Program {
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.as_ref().to_owned())
        .collect();
    Program::at(&*INTERPRETER)
        .label("python")
        .args(arguments)
        .env("PYTHONPATH", root().join("sdk/python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
}

/// Where the source tree is, with the examples in it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a directory of the source tree")
}

/// Makes the environment unless it is there with all that is asked for today.
fn virtual_environment() -> PathBuf {
    let home = build_directory().join("pgseal-python");
    let interpreter = home.join("bin/python");
    let made_of = home.join("made-of");
    let files = REQUIREMENTS.iter().chain(&["sdk/python/pyproject.toml"]);
    let texts = files.map(|file| {
        fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    });
    let wanted = texts.collect::<String>() + PACKAGE;
    // Other test programs wait here; the lock goes with the file.
    let lock = File::create(home.with_extension("lock"));
    let lock = lock.unwrap_or_else(|error| panic!("making {}: {error}", home.display()));
    lock.lock()
        .unwrap_or_else(|error| panic!("locking {}: {error}", home.display()));
    if fs::read_to_string(&made_of).is_ok_and(|found| found == wanted) {
        return interpreter;
    }
    let venv = Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&home)
        .output();
    finish(
        venv,
        "python3 -m venv (Debian: `apt-get install python3-venv`)",
    );
    let install = Command::new(&interpreter)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PACKAGE,
        ])
        .args(REQUIREMENTS.iter().flat_map(|file| ["-r", file]))
        .current_dir(root())
        .output();
    finish(install, "pip install");
    fs::write(&made_of, wanted)
        .unwrap_or_else(|error| panic!("writing {}: {error}", made_of.display()));
    interpreter
}

fn finish(output: std::io::Result<std::process::Output>, what: &str) {
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        output.status.success(),
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
