//! Flags, environment and file: what is asked of them, and who wins.

use harness::Program;

use super::{CONNECTOR, Place, SERVER};

/// Every key of a program's configuration, as its reference has them.
fn keys(program: &str) -> Vec<&'static str> {
    let both = [
        "listen",
        "tls.certificate",
        "tls.private_key",
        "tls.ca",
        "startup_timeout",
        "drain_timeout",
        "log.level",
        "log.format",
    ];
    let server = [
        "ops_listen",
        "store",
        "master_key_file",
        "master_key_command",
        "database.address",
        "database.sslmode",
        "database.host_name",
        "database.ca",
        "database.certificate",
        "database.private_key",
        "database.connect_timeout",
        "zone_mode",
        "on_refused",
        "max_open_row",
        "open_memory",
        "lock_memory",
    ];
    let connector = [
        "api_listen",
        "allow_users",
        "server",
        "control",
        "server_ids",
        "local_api.zones",
        "connect_timeout",
    ];
    let own: &[&str] = if program == SERVER {
        &server
    } else {
        &connector
    };
    [&both, own].concat()
}

fn flag(key: &str) -> String {
    format!("--{}", key.replace(['.', '_'], "-"))
}

fn variable(key: &str) -> String {
    format!("PGSEAL_{}", key.replace('.', "_").to_uppercase())
}

#[test]
fn help_teaches_every_key_and_version_says_which() {
    for program in [SERVER, CONNECTOR, "pgseal-keymaker"] {
        let help = Program::named(program).arg("--help").run().success();
        assert!(help.contains(&format!("Usage: {program}")), "{help}");
        let version = Program::named(program).arg("--version").run().success();
        assert_eq!(
            version,
            format!("{program} {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
    for program in [SERVER, CONNECTOR] {
        let help = Program::named(program).arg("--help").run().success();
        for key in keys(program) {
            for word in [flag(key), variable(key)] {
                let mut words = help.split(|c: char| c.is_whitespace() || "[]=".contains(c));
                assert!(words.any(|found| found == word), "{word}: {help}");
            }
        }
        for word in [
            "--check-config",
            "SIGTERM",
            "SIGHUP",
            "Exit codes",
            "default",
        ] {
            assert!(help.contains(word), "{word}: {help}");
        }
        assert!(!help.contains("--master-key "), "a secret is no flag");
    }
}

#[test]
fn a_wrong_line_is_named_with_its_file_number_and_key() {
    let place = Place::new();
    let last = |program| place.lines(program).len() + 1;
    for (program, line, says) in [
        (
            SERVER,
            "nonsense = 1",
            "unknown key `nonsense`; --help lists the keys there are",
        ),
        (
            SERVER,
            "tls.nonsense = 1",
            "unknown key `tls.nonsense`; --help lists",
        ),
        (
            SERVER,
            "zone_mode = 'maybe'",
            "zone_mode: unknown variant `maybe`, expected one of `off`, `on`, `mixed`",
        ),
        (SERVER, "on_refused = true", "on_refused: "),
        (
            SERVER,
            "database.sslmode = 'prefer'",
            "database.sslmode: unknown variant `prefer`, expected one of `disable`, `require`, \
             `verify-ca`, `verify-full`",
        ),
        (
            SERVER,
            "max_open_row = '64MB'",
            "max_open_row: `64MB` is no size; write it like 4096, 64KiB or 64MiB",
        ),
        (SERVER, "open_memory = -1", "open_memory: "),
        (
            SERVER,
            "proxy_protocol_from = ['10.0.0.0/8', '10.0.0.5/8']",
            "proxy_protocol_from: `10.0.0.5/8` names an address and the size of a network: write \
             10.0.0.5 for the one, or",
        ),
        (
            SERVER,
            "drain_timeout = 'soon'",
            "drain_timeout: `soon` is no period of time; write it like",
        ),
        (SERVER, "drain_timeout = 10", "drain_timeout: "),
        (
            SERVER,
            "log.level = 'loud'",
            "log.level: unknown variant `loud`",
        ),
        (CONNECTOR, "nonsense = 1", "unknown key `nonsense`"),
        (CONNECTOR, "zone_mode = 'off'", "unknown key `zone_mode`"),
        (CONNECTOR, "local_api.zones = 'yes'", "local_api.zones: "),
        (CONNECTOR, "server_ids = 'primary'", "server_ids: "),
        (
            CONNECTOR,
            "allow_users = 'root'",
            "allow_users: invalid type: string \"root\", expected a sequence",
        ),
        (
            CONNECTOR,
            "allow_users = [-1]",
            "allow_users: -1 is no user's number",
        ),
        (
            CONNECTOR,
            "log.format = 'xml'",
            "log.format: unknown variant `xml`",
        ),
        (CONNECTOR, "this is no TOML", ""),
    ] {
        let error = place.refuses(&place.program(program, &[line]), 2);
        let file = place.dir.join("config.toml");
        let expected = format!("{}:{}: {says}", file.display(), last(program));
        assert!(error.starts_with(&expected), "{line}: {error}");
    }
    for (program, key, value) in [
        (SERVER, "listen", "7"),
        (SERVER, "listen", "'nowhere'"),
        (CONNECTOR, "api_listen", "'localhost'"),
        (CONNECTOR, "api_listen", "['127.0.0.1:0', 'localhost']"),
        (CONNECTOR, "listen", "[]"),
        (CONNECTOR, "listen", "'run/pgseal/socket'"),
    ] {
        let error = place.refuses(&place.program(program, &[&format!("{key} = {value}")]), 2);
        let file = place.dir.join("config.toml").display().to_string();
        assert!(
            error.starts_with(&file) && error.contains(&format!(" {key}: ")),
            "{error}"
        );
    }
}

#[test]
fn a_missing_key_is_named_with_every_way_to_set_it() {
    let place = Place::new();
    for (program, keys) in [
        (
            SERVER,
            ["store", "database.address", "tls.certificate", "tls.ca"].as_slice(),
        ),
        (
            CONNECTOR,
            ["server", "tls.certificate", "tls.private_key"].as_slice(),
        ),
    ] {
        for key in keys {
            let error = place.refuses(&place.program(program, &[key]), 2);
            let (flag, variable) = (flag(key), variable(key));
            let expected = format!(
                "`{key}` is not set: put it into the configuration file, or give {flag} or {variable}"
            );
            assert_eq!(error, expected);
        }
        let error = place.refuses(&Program::named(program), 2);
        assert!(error.contains(" is not set: "), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let place = Place::new();
    let binary = place.dir.write("binary.toml", [0xff, 0xfe]);
    for program in [SERVER, CONNECTOR] {
        let (missing, directory) = (place.dir.join("none.toml"), place.dir.path().to_owned());
        for path in [&missing, &directory, &binary] {
            let error = place.refuses(&Program::named(program).arg("--config").arg(path), 2);
            assert!(error.starts_with(&path.display().to_string()), "{error}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_one_line_too() {
    let place = Place::new();
    for program in [SERVER, CONNECTOR] {
        for (arguments, says) in [
            (
                ["--nonsense", "1"].as_slice(),
                "unexpected argument '--nonsense' found",
            ),
            (&["--listen"], "a value is required for '--listen <ADDRESS"),
            (
                &["--listen", "a", "--listen", "b"],
                "the argument '--listen <ADDRESS",
            ),
            (&["start"], "unexpected argument 'start' found"),
            (&["--listen", "nowhere"], "--listen: listen: "),
            (
                &["--log-level", "loud"],
                "--log-level: log.level: unknown variant `loud`",
            ),
        ] {
            let error = place.refuses(&place.program(program, &[]).args(arguments), 2);
            assert!(error.starts_with(says), "{arguments:?}: {error}");
        }
    }
    let zones = place
        .program(CONNECTOR, &[])
        .arg("--local-api-zones=perhaps");
    assert_eq!(
        place.refuses(&zones, 2),
        "--local-api-zones: `perhaps` is neither true nor false"
    );
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let place = Place::new();
    // A wrong value counts only where no better place has one.
    let bad_file = || {
        place
            .program(SERVER, &["zone_mode = 'of the file'"])
            .arg("--check-config")
    };
    let bad_both = || bad_file().env("PGSEAL_ZONE_MODE", "of the environment");
    for (program, complains) in [
        (bad_file(), "config.toml:"),
        (bad_both(), "PGSEAL_ZONE_MODE: zone_mode: "),
        (
            bad_both().args(["--zone-mode", "of the flag"]),
            "--zone-mode: zone_mode: ",
        ),
    ] {
        let error = place.refuses(&program, 2);
        assert!(error.contains(complains), "{error}");
    }
    bad_file().env("PGSEAL_ZONE_MODE", "mixed").run().success();
    bad_both().args(["--zone-mode", "on"]).run().success();
    // Nothing but flags, nothing but the environment.
    let lines = place.lines(SERVER);
    let pairs = || lines.iter().filter_map(|line| line.split_once(" = "));
    let flags = pairs().fold(Program::named(SERVER), |program, (key, value)| {
        program.arg(flag(key)).arg(value.trim_matches('\''))
    });
    flags.arg("--check-config").run().success();
    let environment = pairs().fold(Program::named(SERVER), |program, (key, value)| {
        program.env(variable(key), value.trim_matches('\''))
    });
    environment.arg("--check-config").run().success();
}

#[test]
fn the_local_api_listens_on_the_loopback_only() {
    let place = Place::new();
    let error = place.refuses(&place.program(CONNECTOR, &["api_listen = '0.0.0.0:0'"]), 2);
    assert!(
        error.starts_with("api_listen: 0.0.0.0:0 is no loopback address"),
        "{error}"
    );
}

#[test]
fn a_user_that_there_is_not_or_that_may_be_anybody_is_named() {
    let place = Place::new();
    for (line, says) in [
        (
            "allow_users = ['root', 'no-such-user']",
            "allow_users: there is no user `no-such-user` on this host",
        ),
        (
            "allow_users = ['nobody']",
            "allow_users: `nobody` (65534) stands for every user that this host does not know; \
             name users of their own",
        ),
    ] {
        assert_eq!(place.refuses(&place.program(CONNECTOR, &[line]), 2), says);
    }
}
