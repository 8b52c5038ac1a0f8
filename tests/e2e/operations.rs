//! The commands of docs/operations.md, from first to last, on a stand with nothing but the programs,
//! a database, and the two configuration files that the document takes for granted.
//!
//! A block of commands is fenced as `sh`. One that cannot run here is fenced as `sh not-run`, and may
//! begin its lines with few programs only; one that is for a stand of `examples/stands` as `sh stand=NAME`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use harness::{Cluster, Keys, Program, TestDir, free_port, psql_program, root};

/// What a block that is not run may consist of.
const NOT_RUN: [&str; 4] = ["systemctl", "apt-get", "etcdctl", "journalctl"];

/// How long all commands together may take: seventy programs, some of which derive the CA's key.
const LIMIT: Duration = Duration::from_secs(120);

/// A block of commands, and the line of the document that it begins after.
pub struct Block {
    pub line: usize,
    pub text: String,
    is_run: bool,
    /// The stand that it is for.
    pub stand: Option<String>,
}

pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in document.lines().enumerate() {
        match (open, line.strip_prefix("```")) {
            (true, Some(_)) => open = false,
            (true, None) => {
                let block = blocks.last_mut().expect("it was opened");
                block.text += line;
                block.text.push('\n');
            }
            (false, Some(kind)) if kind.split(' ').next() == Some("sh") => {
                let for_stand = kind.strip_prefix("sh stand=");
                assert!(
                    matches!(kind, "sh" | "sh not-run") || for_stand.is_some(),
                    "line {}: {kind}",
                    number + 1
                );
                open = true;
                blocks.push(Block {
                    line: number + 1,
                    text: String::new(),
                    is_run: kind == "sh",
                    stand: for_stand.map(ToOwned::to_owned),
                });
            }
            // Another block, such as a log, ends with the same three marks.
            (false, _) => {}
        }
    }
    assert!(!open, "the last block has no end");
    blocks
}

/// The program under its name in `bin`, ended with the shell that starts it.
fn install(dir: &TestDir, name: &str) {
    let program = Program::named(name);
    let script = format!(
        "#!/bin/sh\nexec setpriv --pdeathsig TERM {} \"$@\"\n",
        program.path().display()
    );
    let path = dir.write(&format!("bin/{name}"), script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_command_of_the_document_works_as_it_stands() {
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let blocks = blocks(&document);
    let database = Cluster::start();
    let dir = TestDir::new("operations");
    fs::create_dir(dir.join("bin")).unwrap();
    for name in ["pgseal-keymaker", "pgseal-server", "pgseal-connector"] {
        install(&dir, name);
    }
    // The document's ports are the programs' own; those of a test are free ones.
    let ports = [9393, 9090, 9494, 9191].map(|known| (known, free_port()));
    let [listen, ops, data, api] = &ports;
    dir.write(
        "server.toml",
        format!(
            "store = \"store.db\"\nmaster_key_file = \"master.key\"\nzone_mode = \"mixed\"\n\
             listen = \"127.0.0.1:{}\"\nops_listen = \"127.0.0.1:{}\"\n\
             [tls]\ncertificate = \"certs/server-1.crt\"\nprivate_key = \"certs/server-1.key\"\n\
             ca = \"ca/ca.crt\"\n[database]\naddress = \"{}\"\n",
            listen.1,
            ops.1,
            database.address().socket()
        ),
    );
    dir.write(
        "connector.toml",
        format!(
            "server = \"127.0.0.1:{}\"\nlisten = \"127.0.0.1:{}\"\napi_listen = \"127.0.0.1:{}\"\n\
             [tls]\ncertificate = \"certs/app.crt\"\nprivate_key = \"certs/app.key\"\n\
             ca = \"ca/ca.crt\"\n",
            listen.1, data.1, api.1
        ),
    );

    let mut script = String::from("trap 'kill $(jobs -p) 2> /dev/null' EXIT\n");
    let mut run = 0;
    for block in &blocks {
        if !block.is_run {
            for line in block.text.lines() {
                if block.stand.is_some() {
                    assert!(line.starts_with("stand "), "line {}: {line}", block.line);
                    continue;
                }
                let program = line.split(' ').next().unwrap_or_default();
                assert!(NOT_RUN.contains(&program), "line {}: {line}", block.line);
            }
            continue;
        }
        let mut text = block.text.clone();
        for (known, port) in &ports {
            text = text.replace(&format!(":{known}"), &format!(":{port}"));
            text = text.replace(&format!("port={known}"), &format!("port={port}"));
        }
        writeln!(
            script,
            "echo 'docs/operations.md:{}' >&2\n{text}",
            block.line
        )
        .unwrap();
        run += 1;
    }
    assert!(run > 20, "only {run} blocks");

    let psql = psql_program("", [""; 0]);
    let mut path = format!("{}:", dir.join("bin").display());
    write!(path, "{}:", psql.path().parent().unwrap().display()).unwrap();
    path += &std::env::var("PATH").unwrap();
    let shell = Program::at("/bin/bash").args(["-euo", "pipefail", "-c"]);
    let finished = shell
        .arg(format!("cd '{}'\n{script}", dir.path().display()))
        .env("PATH", path)
        .env("PGSEAL_CA_PASSPHRASE", Keys::CA_PASSPHRASE)
        .limit(LIMIT)
        .run();
    assert_eq!(
        finished.code,
        Some(0),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );

    // What stands at the end is what the document has led to.
    let said = finished.stdout;
    assert!(said.contains("No fault was found"), "{said}");
    let log = fs::read_to_string(dir.join("server.log")).unwrap();
    assert_eq!(log.matches(" ready ").count(), 2, "{log}");
    assert!(log.contains("the database answers the monitor"), "{log}");
}

#[test]
fn blocks_are_found_with_their_lines_and_marks() {
    let document = "text\n```sh\none\ntwo\n```\n```text\nno\n```\n```sh not-run\nsystemctl x\n```\n\
         ```sh stand=vip\nstand down\n```\n";
    let found: Vec<_> = blocks(document)
        .into_iter()
        .map(|block| (block.line, block.text, block.is_run, block.stand))
        .collect();
    assert_eq!(
        found,
        [
            (2, "one\ntwo\n".to_owned(), true, None),
            (9, "systemctl x\n".to_owned(), false, None),
            (12, "stand down\n".to_owned(), false, Some("vip".to_owned()))
        ]
    );
}
