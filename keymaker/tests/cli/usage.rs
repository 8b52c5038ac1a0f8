//! Command lines that do not say what to do: exit code 2 and one line.

use crate::support::{Place, with_store};

#[test]
fn bad_usage_is_one_line_and_exit_code_2() {
    let place = Place::filled();
    for (line, says) in [
        ("", "no command given (--help lists them)"),
        ("zone", "no command given (--help lists them)"),
        (
            "clients",
            "unrecognized subcommand 'clients' (--help says more)",
        ),
        (
            "client list --master-key-file master.key",
            "the following required arguments were not provided: --store <PLACE> (--help says more)",
        ),
        (
            "client list --store store.db",
            "no master key: give --master-key-file, --master-key-command or PGSEAL_MASTER_KEY",
        ),
        (
            "key export-public --store store.db",
            "the following required arguments were not",
        ),
        (
            "zone add --store store.db",
            "the following required arguments were not provided: --client",
        ),
        (
            "cert client app --ca-dir ca --days 0",
            "invalid value '0' for '--days <DAYS>': 0 is not",
        ),
        (
            "cert client app --ca-dir ca --days 3651",
            "invalid value '3651' for '--days <DAYS>'",
        ),
        (
            "cert sign --csr x --id a --ca-dir ca --role root",
            "invalid value 'root' for '--role",
        ),
    ] {
        let error = place.fails(2, line);
        assert!(error.starts_with(says), "{error}");
    }
    for (line, says) in [
        (
            "client add a/b",
            "invalid value 'a/b' for '<ID>': a client id holds only A-Z a-z 0-9 _ . : - @, not '/'",
        ),
        (
            "zone add short --client app",
            "invalid value 'short' for '[ID]': a zone id has 8 to 64",
        ),
        (
            "zone add --client * --client app",
            "--client '*' stands for all clients and goes with no other --client",
        ),
        (
            "client list --master-key-command x",
            "the argument '--master-key-command <CMD>' cannot be used with '--master-key-file",
        ),
        (
            "key list --client app --zone tenant-1",
            "the argument '--client <ID>' cannot be used with '--zone <ID>' (--help says more)",
        ),
    ] {
        let error = place.fails(2, &with_store(line));
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn without_a_passphrase_and_a_terminal_it_says_how_to_give_one() {
    let place = Place::init();
    let mut command = place.command(["cert", "client", "app", "--ca-dir", "ca"]);
    let error = place.command_fails(2, command.env_remove("PGSEAL_CA_PASSPHRASE"));
    assert!(
        error.starts_with("no CA passphrase: give --ca-passphrase-file, "),
        "{error}"
    );
}

#[test]
fn the_environment_counts_where_the_command_line_is_silent_and_only_once() {
    let place = Place::filled();
    let list = || {
        let mut command = place.command(["client", "list"]);
        command.env("PGSEAL_STORE", "store.db");
        command
    };
    let works = |command: &mut std::process::Command| command.output().unwrap().status.success();
    assert!(works(list().env("PGSEAL_MASTER_KEY_FILE", "master.key")));
    assert!(works(
        list().env("PGSEAL_MASTER_KEY_COMMAND", "cat master.key")
    ));
    // An empty one is none.
    assert!(works(
        list()
            .env("PGSEAL_MASTER_KEY_FILE", "master.key")
            .env("PGSEAL_MASTER_KEY", "")
    ));
    // The command line goes first.
    let mut both = list();
    both.args(["--master-key-file", "master.key"]);
    assert!(works(both.env("PGSEAL_MASTER_KEY_FILE", "none")));
    let error = place.command_fails(
        2,
        list()
            .env("PGSEAL_MASTER_KEY_FILE", "master.key")
            .env("PGSEAL_MASTER_KEY", "x"),
    );
    assert!(
        error.starts_with("more than one of PGSEAL_MASTER_KEY, "),
        "{error}"
    );
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::empty();
    assert!(place.ok("--version").starts_with("pgseal-keymaker "));
    for line in ["--help", "init --help", "help cert sign", "zone add -h"] {
        assert!(place.ok(line).contains("Usage: pgseal-keymaker"));
    }
}
