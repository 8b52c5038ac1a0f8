//! The units in `examples/systemd`: that systemd takes them, how tight their sandbox is, and that
//! our programs live within it.

mod sandbox;

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Program, TestDir, root};

const UNITS: [&str; 4] = [
    "pgseal-server.service",
    "pgseal-connector.service",
    "pgseal-connector@.service",
    "pgseal-webconfig.service",
];

const SOCKETS: [&str; 2] = ["pgseal-server.socket", "pgseal-connector.socket"];

/// The exposure that `systemd-analyze security` may find, in tenths: what is left is that they use
/// the network.
const EXPOSURE: &str = "15";

fn folder() -> PathBuf {
    root().join("examples/systemd")
}

fn unit(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// The values of a key, one for each line of it.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let prefix = format!("{key}=");
    unit.lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .collect()
}

fn analyze<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Program {
    Program::at("/usr/bin/systemd-analyze").args(arguments)
}

/// The units in a directory of their own, with our programs where they are, and a user that is here.
fn installed() -> TestDir {
    let dir = TestDir::new("units");
    for name in UNITS {
        let unit = unit(name);
        let program = values(&unit, "ExecStart")[0].split(' ').next().unwrap();
        let built = Program::named(Path::new(program).file_name().unwrap().to_str().unwrap());
        let here = unit
            .replace(program, built.path().to_str().unwrap())
            .replace("User=pgseal-server", "User=daemon")
            .replace("User=pgseal-connector", "User=daemon")
            .replace("User=pgseal-webconfig", "User=daemon")
            .replace("Group=pgseal-webconfig", "Group=daemon")
            .replace("Group=pgseal-server", "Group=daemon")
            .replace("Group=pgseal-connector", "Group=daemon");
        dir.write(name, here);
    }
    for name in SOCKETS {
        dir.write(name, unit(name));
    }
    dir
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = installed();
    for name in UNITS.into_iter().chain(SOCKETS) {
        let name = name.replace('@', "@app");
        let finished = analyze(["verify", "--man=no"])
            .arg(dir.join(&name))
            .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()))
            .run();
        assert_eq!(finished.stderr, "", "{name}");
        finished.success();
    }
    // That it would find something.
    let text = unit(UNITS[0]).replace("ProtectSystem=strict", "ProtectSytem=strict");
    let wrong = dir.write("wrong.service", text);
    let finished = analyze(["verify", "--man=no"]).arg(wrong).run();
    assert!(finished.stderr.contains("ProtectSytem"), "{finished:?}");
}

#[test]
fn the_units_are_as_tight_as_they_are_said_to_be() {
    let security = [
        "security",
        "--offline=true",
        "--no-pager",
        "--threshold",
        EXPOSURE,
    ];
    for name in UNITS {
        let finished = analyze(security).arg(folder().join(name)).run();
        assert_eq!(finished.code, Some(0), "{name}: {}", finished.stdout);
    }
    let dir = TestDir::new("open");
    let open = dir.write("open.service", "[Service]\nExecStart=/bin/true\n");
    assert_eq!(analyze(security).arg(open).run().code, Some(1));
}

/// Where the sockets are the configuration's own, a socket unit can be added to an installation as it comes.
#[test]
fn the_sockets_are_those_of_the_default_configuration() {
    for (name, listen) in SOCKETS
        .into_iter()
        .zip(["127.0.0.1:9393", "127.0.0.1:9494"])
    {
        assert_eq!(values(&unit(name), "ListenStream"), [listen], "{name}");
    }
}

#[test]
fn the_units_differ_in_nothing_that_is_not_meant() {
    let [server, connector, template, page] = UNITS.map(unit);
    let sandbox = |unit: &str| unit.split_once("# From here on").unwrap().1.to_owned();
    assert_eq!(sandbox(&server), sandbox(&connector));
    assert_eq!(sandbox(&server), sandbox(&page));
    let one = |text: &str| text.lines().skip(1).collect::<Vec<_>>().join("\n");
    let named = template
        .replace("connector %i:", "connector:")
        .replace("connector-%i.toml", "connector.toml")
        .replace("pgseal-%i", "pgseal")
        .replace("/run/pgseal-app/", "/run/pgseal/");
    assert_eq!(one(&connector), one(&named));
}

/// Only root can make users.
#[test]
fn the_users_of_the_units_are_made() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = TestDir::new("root");
    fs::create_dir(dir.join("etc")).unwrap();
    Program::at("/usr/bin/systemd-sysusers")
        .arg(format!("--root={}", dir.path().display()))
        .arg(folder().join("pgseal.sysusers.conf"))
        .run()
        .success();
    let users = fs::read_to_string(dir.join("etc/passwd")).unwrap();
    for name in UNITS {
        let user = format!("{}:x:", values(&unit(name), "User")[0]);
        assert!(users.lines().any(|line| line.starts_with(&user)), "{users}");
    }
}
