//! How each driver's program is built and run. What is downloaded, `tests/run.sh` has put into the
//! build directory, or Debian's packages have it.

use std::path::PathBuf;
use std::time::Duration;

use harness::{Program, psql_program, python, root, target};

/// Where Debian has JDBC's driver, and what Go's packages are built from.
const JDBC: &str = "/usr/share/java/postgresql.jar";
const GOPATH: &str = "/usr/share/gocode";

/// How long Go may take over a first build.
const BUILD: Duration = Duration::from_secs(300);

/// A script for PostgreSQL's own programs, with `$0` as the file's name.
pub fn shell(script: &str, file: &str) -> Program {
    let psql = psql_program("", [""; 0]);
    let programs = psql.path().parent().expect("a program is in a directory");
    let path = std::env::var("PATH").unwrap();
    Program::at("/bin/bash")
        .args(["-c", script])
        .arg(source(file))
        .env("PATH", format!("{}:{path}", programs.display()))
}

/// A script of Python.
pub fn python_script(file: &str) -> Program {
    python([source(file).to_str().unwrap()])
}

/// A script of JavaScript.
pub fn node(file: &str) -> Program {
    let packages = target().join("drivers/node_modules");
    assert!(
        packages.is_dir(),
        "no {}: run tests/run.sh once",
        packages.display()
    );
    Program::at("/usr/bin/env")
        .arg("node")
        .arg(source(file))
        .env("NODE_PATH", packages)
}

/// A class of Java, compiled as it is started.
pub fn java(file: &str) -> Program {
    Program::at("/usr/bin/env")
        .args(["java", "-cp", JDBC])
        .arg(source(file))
}

/// A program of Go, built from Debian's packages.
pub fn go(file: &str) -> Program {
    let (output, cache) = (
        target().join("drivers/go"),
        target().join("drivers/go-cache"),
    );
    Program::at("/usr/bin/env")
        .args(["go", "build", "-o"])
        .args([&output, &source(file)])
        .env("GOPATH", GOPATH)
        .env("GO111MODULE", "off")
        .env("GOCACHE", cache)
        .limit(BUILD)
        .run()
        .success();
    Program::at(output)
}

/// A program of Rust, which the test command builds before.
pub fn rust(name: &str) -> Program {
    Program::named(name)
}

fn source(file: &str) -> PathBuf {
    root().join("tests/drivers").join(file)
}
