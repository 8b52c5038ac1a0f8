//! PostgreSQL's own programs: what `pg_dump` and `psql` write through a link is what they would write
//! had nothing been sealed, and past it nothing is in clear.

use std::fs;
use std::path::Path;

use harness::{Address, Finding, Link, TestDir, installed, psql, scan};

use super::stand::Stand;

/// Columns of the table that is dumped; its tag comes first.
const COLUMNS: &str = "id, tag, b, t, t::varchar as v, b::secret as s, to_json(t) as j,
    jsonb_build_object('b', b, 'l', jsonb_build_array(t)) as k, array[b, null] as bs,
    array[[t, 'x'], [null, t]] as ts, row(b, t, 1)::pair as p, array[row(b, t, id)::pair] as ps,
    words(t, null) as w, hstore('k', t) as h";

/// Plaintexts that every dump in clear has, and no other.
const PLAINTEXTS: [&str; 2] = ["4000 0012 3456 7899", "Grüße, 世界 🂡"];

/// The table `cards` of sealed values in database `postgres`, and of the same in clear in `clear`.
fn start() -> Stand {
    let stand = Stand::start("error");
    let database = &stand.link.database;
    database.query("create database clear template postgres");
    let drop =
        "drop table sealed, clear, lookalike cascade; alter table cards add primary key (id)";
    for (name, table) in [("postgres", "sealed"), ("clear", "clear")] {
        let create = format!("create table cards as select {COLUMNS} from {table}; {drop}");
        run(&database.address(), name, &["-c", &create]);
    }
    stand
}

fn conninfo(address: Address, database: &str) -> String {
    format!("{} dbname={database}", address.conninfo())
}

/// Runs psql in a database past the link.
#[track_caller]
fn run(address: &Address, database: &str, arguments: &[&str]) -> String {
    let quiet = ["-q", "-A", "-t"].iter().chain(arguments).copied();
    psql(&conninfo(*address, database), quiet).success()
}

/// One value for all that is in the table.
fn digest(link: &Link, database: &str) -> String {
    let sql = r"select count(*) || md5(string_agg(cards::text, E'\n' order by id)) from cards";
    run(&link.database.address(), database, &["-c", sql])
}

/// `pg_dump` of the sealed table with these options, to this file or directory.
#[track_caller]
fn dump(address: Address, options: &[&str], to: &Path) {
    let dump = installed("pg_dump")
        .arg("-d")
        .arg(conninfo(address, "postgres"));
    dump.args(options).arg("-f").arg(to).run().success();
}

/// Restores a dump into a new database.
fn restore(link: &Link, options: &[&str], from: &Path) {
    let address = link.database.address();
    run(
        &address,
        "postgres",
        &[
            "-c",
            "drop database if exists restored",
            "-c",
            "create database restored",
        ],
    );
    let path = from.display().to_string();
    let into = conninfo(address, "restored");
    if options.iter().any(|option| option.starts_with("-F")) {
        installed("pg_restore")
            .args(["-d", &into, "-j", "2", &path])
            .run()
            .success();
    } else {
        psql(&into, ["-q", "-f", &path]).success();
    }
}

/// All files of a dump, unpacked.
fn found(dumped: &Path) -> Vec<Finding> {
    let script = installed("pg_restore").arg("-f").arg("-").arg(dumped).run();
    let text = match script.code {
        Some(0) => script.stdout.into_bytes(),
        // It is one already.
        _ => fs::read(dumped).unwrap(),
    };
    scan(&text, &PLAINTEXTS)
}

#[test]
fn a_dump_through_a_link_restores_in_clear_and_past_it_sealed() {
    let stand = start();
    let link = &stand.link;
    let dir = TestDir::new("dumps");
    let [sealed, clear] = ["postgres", "clear"].map(|database| digest(link, database));
    assert_ne!(sealed, clear);
    let ways: [&[&str]; 5] = [
        &[],
        &["--inserts"],
        &["--column-inserts", "--rows-per-insert=7"],
        &["-Fc"],
        &["-Fd", "-j2"],
    ];
    for (number, options) in ways.iter().enumerate() {
        let through = dir.join(&format!("through-{number}"));
        dump(link.address(), options, &through);
        assert!(!found(&through).is_empty(), "{options:?}");
        restore(link, options, &through);
        assert_eq!(digest(link, "restored"), clear, "{options:?}");

        let past = dir.join(&format!("past-{number}"));
        dump(link.database.address(), options, &past);
        assert_eq!(found(&past), [], "{options:?}");
    }
    let past = dir.join("past-0");
    restore(link, &[], &past);
    assert_eq!(digest(link, "restored"), sealed);
}

#[test]
fn psql_writes_what_it_would_had_nothing_been_sealed() {
    let stand = start();
    let link = &stand.link;
    let dir = TestDir::new("copies");
    let answer = |address, database: &str, command: &str| -> (String, Vec<u8>) {
        let file = dir.join("written");
        let command = command.replace("{file}", &file.display().to_string());
        let commands = ["-A", "-t", "-q", "-c", &command];
        let said = psql(&conninfo(address, database), commands).success();
        (said, fs::read(file).unwrap_or_default())
    };
    for command in [
        r"\copy cards to '{file}'",
        r"\copy (select * from cards order by id) to '{file}' csv header",
        r"\copy cards (tag, t, b) to '{file}' with (format binary)",
        "table cards",
    ] {
        let through = answer(link.address(), "postgres", command);
        let expected = answer(link.database.address(), "clear", command);
        assert!(through == expected, "{command}");
        let past = answer(link.database.address(), "postgres", command);
        assert!(past != expected, "{command}");
    }
    // psql runs what a query gives it: the rows of that open, too.
    let script = dir.write("gexec", "select format('select t, b from cards where id = %s', id) from cards where tag = '' order by id\n\\gexec\n");
    let gexec = |address, database| {
        let file = script.display().to_string();
        psql(
            &conninfo(address, database),
            ["-A", "-t", "-q", "-f", &file],
        )
        .success()
    };
    assert_eq!(
        gexec(link.address(), "postgres"),
        gexec(link.database.address(), "clear")
    );
}
