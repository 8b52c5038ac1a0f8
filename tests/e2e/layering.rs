//! Holds the import table of the architecture: which package of the workspace may import which.

use std::env;
use std::process::Command;

use serde_json::Value;

/// What each package may import of the workspace. `*` is all of it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("pgseal-server", &["*"]),
    (
        "pgseal-connector",
        &[
            "pgseal-tunnel",
            "pgseal-balancer",
            "pgseal-chooser",
            "pgseal-wire",
            "pgseal-control",
            "pgseal-daemon",
        ],
    ),
    (
        "pgseal-keymaker",
        &[
            "pgseal-keystore",
            "pgseal-envelope",
            "pgseal-control",
            "pgseal-daemon",
        ],
    ),
    (
        "pgseal-webconfig",
        &["pgseal-control", "pgseal-daemon", "pgseal-tunnel"],
    ),
    ("pgseal-envelope", &[]),
    ("pgseal-keystore", &["pgseal-envelope"]),
    ("pgseal-wire", &[]),
    ("pgseal-tunnel", &[]),
    ("pgseal-balancer", &[]),
    (
        "pgseal-chooser",
        &[
            "pgseal-balancer",
            "pgseal-control",
            "pgseal-daemon",
            "pgseal-wire",
        ],
    ),
    ("pgseal-control", &["pgseal-tunnel"]),
    ("pgseal-daemon", &[]),
    ("pgseal-examples", &["pgseal-envelope"]),
    ("pgseal-tests", &["*"]),
    ("pgseal-drivers", &[]),
    ("pgseal-bench", &["*"]),
    ("pgseal-fuzz", &["*"]),
];

/// Programs are imported by nobody but these.
const MAY_IMPORT_PROGRAMS: &[&str] = &["pgseal-tests", "pgseal-bench", "pgseal-fuzz"];
const PROGRAMS: &[&str] = &[
    "pgseal-server",
    "pgseal-connector",
    "pgseal-keymaker",
    "pgseal-webconfig",
];

/// Makes certificates, so only the keymaker links it, the tests for their hostile ones, and the fuzz
/// targets for a server of their own.
const CERTIFICATE_MAKER: &str = "rcgen";
const MAY_MAKE_CERTIFICATES: &[&str] = &["pgseal-keymaker", "pgseal-tests", "pgseal-fuzz"];

/// One package's import of another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Import {
    from: String,
    to: String,
}

impl Import {
    fn new(from: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }
}

/// The imports that the table does not allow.
fn forbidden(imports: &[Import]) -> Vec<&Import> {
    imports
        .iter()
        .filter(|import| !is_allowed(import))
        .collect()
}

fn is_allowed(Import { from, to }: &Import) -> bool {
    let row = MAY_IMPORT.iter().find(|(package, _)| package == from);
    let (from, to) = (from.as_str(), to.as_str());
    if to == CERTIFICATE_MAKER {
        MAY_MAKE_CERTIFICATES.contains(&from)
    } else if !to.starts_with("pgseal-") {
        true
    } else if PROGRAMS.contains(&to) {
        MAY_IMPORT_PROGRAMS.contains(&from)
    } else {
        row.is_some_and(|(_, allowed)| allowed.contains(&"*") || allowed.contains(&to))
    }
}

/// All imports of the workspace's packages, as Cargo knows them. Those for a package's own tests
/// are not counted: they are in none of the programs.
fn imports() -> Vec<Import> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut imports = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["kind"] != "dev" {
                let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
                imports.push(Import {
                    from: name(package),
                    to: name(dependency),
                });
            }
        }
    }
    imports
}

#[test]
fn the_workspace_imports_nothing_that_the_architecture_does_not_allow() {
    let imports = imports();
    // The table is about nothing if Cargo's answer was read wrongly.
    assert!(imports.contains(&Import::new("pgseal-keystore", "pgseal-envelope")));
    assert!(imports.contains(&Import::new("pgseal-keymaker", CERTIFICATE_MAKER)));
    assert_eq!(forbidden(&imports), [] as [&Import; 0]);
}

#[test]
fn an_import_that_is_not_in_the_table_is_found() {
    for (from, to) in [
        ("pgseal-connector", "pgseal-keystore"),
        ("pgseal-connector", "pgseal-envelope"),
        ("pgseal-webconfig", "pgseal-keystore"),
        ("pgseal-wire", "pgseal-tunnel"),
        ("pgseal-envelope", "pgseal-keystore"),
        ("pgseal-keymaker", "pgseal-server"),
        ("pgseal-server", "pgseal-connector"),
        ("pgseal-server", "rcgen"),
        ("pgseal-keystore", "rcgen"),
        ("pgseal-newcomer", "pgseal-envelope"),
    ] {
        let import = Import::new(from, to);
        let allowed = Import::new("pgseal-server", "pgseal-keystore");
        assert_eq!(forbidden(&[allowed, import.clone()]), [&import]);
    }
}

#[test]
fn an_import_that_is_in_the_table_passes() {
    for (from, to) in [
        ("pgseal-server", "pgseal-keystore"),
        ("pgseal-connector", "pgseal-tunnel"),
        ("pgseal-connector", "tokio"),
        ("pgseal-control", "pgseal-tunnel"),
        ("pgseal-examples", "pgseal-envelope"),
        ("pgseal-keymaker", "rcgen"),
        ("pgseal-tests", "pgseal-server"),
    ] {
        assert_eq!(forbidden(&[Import::new(from, to)]), [] as [&Import; 0]);
    }
}
