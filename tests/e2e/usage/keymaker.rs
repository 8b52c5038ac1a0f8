//! `pgseal-keymaker`, as it is called after an installation. Its own tests go through every command.

use harness::Program;

use super::Place;

fn keymaker(line: &str) -> Program {
    Program::named("pgseal-keymaker").args(line.split_whitespace())
}

#[test]
fn every_command_teaches_how_it_is_used() {
    for command in [
        "init",
        "client add",
        "client set",
        "client list",
        "zone add",
        "zone list",
        "zone show",
        "zone destroy",
        "zone keep",
        "zone receipt",
        "grant add",
        "grant remove",
        "grant list",
        "key list",
        "key export-public",
        "key rotate",
        "key retire",
        "key restore",
        "key destroy",
        "cert client",
        "cert server",
        "cert admin",
        "cert sign",
        "cert authority",
        "cert record",
        "cert list",
        "cert show",
        "cert revoke",
        "master show",
        "master rotate",
        "master forget",
        "audit verify",
        "audit list",
        "audit export",
    ] {
        let help = keymaker(&format!("{command} --help")).run().success();
        assert!(
            help.contains("Example") && help.contains("Usage: pgseal-keymaker"),
            "{help}"
        );
    }
}

#[test]
fn a_wrong_command_is_one_line_and_changes_nothing() {
    let place = Place::new();
    let store = place.keys.store().display().to_string();
    let key = place.keys.master_key_file().display().to_string();
    let good = format!("--store {store} --master-key-file {key}");
    for (code, line, says) in [
        (2, String::new(), "no command given"),
        (2, "clients".into(), "unrecognized subcommand 'clients'"),
        (
            2,
            format!("client list --nonsense {good}"),
            "unexpected argument '--nonsense' found",
        ),
        (
            2,
            format!("client list --store {store}"),
            "no master key: give --master-key-file, ",
        ),
        (
            2,
            format!("client list {good} --master-key-command canary"),
            "the argument '--master-key-file",
        ),
        (
            2,
            format!("client add not/an/id {good}"),
            "invalid value 'not/an/id' for '<ID>'",
        ),
        (
            1,
            format!("client list --store {key} --master-key-file {key}"),
            &format!("{key} is not a pgseal store"),
        ),
        (
            1,
            format!("client list --store {store} --master-key-file {store}"),
            &store,
        ),
        (
            1,
            format!("client list --store {store}.none --master-key-file {key}"),
            "there is no store ",
        ),
        (
            1,
            format!("zone show DDDDDDDDnone {good}"),
            "there is no zone DDDDDDDDnone",
        ),
        (
            1,
            format!("zone add --client nobody {good}"),
            "there is no client nobody; ",
        ),
        (
            1,
            format!("init {good} --ca-dir {store}.ca --ca-passphrase-command true"),
            &store,
        ),
        (
            1,
            format!("cert client app --ca-dir {store}.ca --ca-passphrase-command echo"),
            "cannot read ",
        ),
    ] {
        let error = place.refuses(&keymaker(&line), code);
        assert!(error.starts_with(says), "{line}: {error}");
    }
    let list = keymaker(&format!("client list --store {store}"));
    let error = place.refuses(&list.env("PGSEAL_MASTER_KEY", "canary"), 1);
    assert!(
        error.starts_with("PGSEAL_MASTER_KEY holds no master key"),
        "{error}"
    );
}
