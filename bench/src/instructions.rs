//! Instructions of connector and server for one query, counted by callgrind.

use std::env;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use envelope::armor;
use harness::{Chain, Keys, Link, Process, TestDir};
use tokio_postgres::Client;

/// Queries of the run with few: enough for every path to have been taken.
const FEW: u32 = 100;

/// A kind of query, as an application asks it.
#[derive(Clone, Copy)]
struct Workload {
    title: &'static str,
    sql: &'static str,
    by: Protocol,
}

#[derive(Clone, Copy)]
enum Protocol {
    Simple,
    Prepared,
    /// The simple one, by a session that takes COPY's data.
    Copy,
}

const WORKLOADS: [Workload; 10] = [
    Workload {
        title: "one small row, simple protocol",
        sql: "select id from plain",
        by: Protocol::Simple,
    },
    Workload {
        title: "one small row, prepared",
        sql: "select id from plain",
        by: Protocol::Prepared,
    },
    Workload {
        title: "a thousand small rows, prepared",
        sql: "select id from plain, generate_series(1, 1000)",
        by: Protocol::Prepared,
    },
    Workload {
        title: "a thousand clear rows with text",
        sql: "select id, word from words",
        by: Protocol::Prepared,
    },
    Workload {
        title: "COPY of a thousand clear rows",
        sql: "copy words to stdout",
        by: Protocol::Copy,
    },
    Workload {
        title: "one sealed value, prepared",
        sql: "select value from sealed",
        by: Protocol::Prepared,
    },
    Workload {
        title: "one sealed value in text",
        sql: "select armored from sealed",
        by: Protocol::Prepared,
    },
    Workload {
        title: "an array of a hundred sealed values",
        sql: "select array_agg(value) from sealed, generate_series(1, 100)",
        by: Protocol::Prepared,
    },
    Workload {
        title: "a sealed row as jsonb",
        sql: "select to_jsonb(sealed) from sealed",
        by: Protocol::Prepared,
    },
    Workload {
        title: "COPY of a hundred sealed rows",
        sql: "copy (select sealed.* from sealed, generate_series(1, 100)) to stdout",
        by: Protocol::Copy,
    },
];

/// The directory of the programs to run, for the harness and for [`again_under_callgrind`].
const PROGRAMS: &str = "PGSEAL_BIN_DIR";

/// Prints the table.
pub fn run(keep: Option<&Path>, queries: u32) {
    if env::var_os(PROGRAMS).is_none() {
        again_under_callgrind(keep);
    }
    println!(
        "{:<36} {:>12} {:>12} {:>12}",
        "instructions per query", "connector", "server", "both"
    );
    for workload in WORKLOADS {
        let (many, took) = count(workload, FEW + queries, Duration::ZERO);
        // What the programs do all the time, they do as long in either run.
        let (few, _) = count(workload, FEW, took);
        let [connector, server] =
            [0, 1].map(|program| (many[program] - few[program]) / u64::from(queries));
        println!(
            "{:<36} {connector:>12} {server:>12} {:>12}",
            workload.title,
            connector + server
        );
    }
}

/// Runs this program again, with a directory of programs in which the daemons are run by callgrind.
fn again_under_callgrind(keep: Option<&Path>) -> ! {
    let own = env::current_exe().expect("a running program has a file");
    let built = own.parent().expect("a file lies in a directory");
    let programs = TestDir::new("programs");
    let out = keep.map_or_else(|| "/dev/null".into(), |dir| dir.join("%p.out"));
    for daemon in ["pgseal-connector", "pgseal-server"] {
        // One worker thread: how work is spread over several differs from run to run.
        let script = format!(
            "#!/bin/sh\nTOKIO_WORKER_THREADS=1 exec valgrind --tool=callgrind \\\n\
             --callgrind-out-file='{}' '{}' \"$@\"\n",
            out.display(),
            built.join(daemon).display()
        );
        let file = programs.write(daemon, script);
        std::fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("it is ours");
    }
    symlink(
        built.join("pgseal-keymaker"),
        programs.join("pgseal-keymaker"),
    )
    .expect("it is ours");
    let status = Command::new(own)
        .args(env::args_os().skip(1))
        .env(PROGRAMS, programs.path())
        .status()
        .expect("what runs can be run again");
    drop(programs);
    std::process::exit(status.code().unwrap_or(1));
}

/// Instructions of connector and server from their start to their end, with this many queries; and how
/// long these took, or at least the time that is given.
fn count(workload: Workload, queries: u32, at_least: Duration) -> ([u64; 2], Duration) {
    let keys = Keys::new();
    let app = keys.add_client("app");
    let link = Chain::builder()
        .server("lock_memory = 'off'")
        // Fifty times as slow, and perhaps on a busy machine.
        .server("startup_timeout = '1m'")
        .server("database.connect_timeout = '1m'")
        .connector("connect_timeout = '1m'")
        .connector("startup_timeout = '1m'")
        .start_link(&keys);
    let sealed = app.seal(&[7; 64]).expect("64 bytes can be sealed");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let took = runtime.block_on(async {
        let direct = link.database.connect().await;
        let setup = "create table plain (id int); insert into plain values (1);
                     create table words as
                         select id, 'word ' || id as word from generate_series(1, 1000) id;
                     create table sealed (value bytea, armored text)";
        expect(direct.batch_execute(setup).await);
        expect(
            direct
                .execute(
                    "insert into sealed values ($1, $2)",
                    &[&sealed, &armor(&sealed)],
                )
                .await,
        );
        let begun = Instant::now();
        match workload.by {
            Protocol::Copy => copy(&link, workload, queries),
            Protocol::Simple | Protocol::Prepared => {
                ask(&link.connect().await, workload, queries).await;
            }
        }
        let took = begun.elapsed();
        tokio::time::sleep(at_least.saturating_sub(took)).await;
        took
    });
    let counted = [link.connector.process(), link.server.process()].map(instructions);
    (counted, took)
}

async fn ask(application: &Client, workload: Workload, queries: u32) {
    let statement = expect(application.prepare(workload.sql).await);
    for _ in 0..queries {
        match workload.by {
            Protocol::Prepared => drop(expect(application.query(&statement, &[]).await)),
            Protocol::Simple | Protocol::Copy => {
                expect(application.simple_query(workload.sql).await);
            }
        }
    }
}

fn copy(link: &Link, workload: Workload, queries: u32) {
    let mut session = link.address().raw();
    session.start();
    for _ in 0..queries {
        let answer = session.query(workload.sql);
        assert!(
            answer.iter().all(|message| message.tag != b'E'),
            "{answer:?}"
        );
    }
}

/// Ends a program; its last words are callgrind's.
fn instructions(process: &Process) -> u64 {
    process.terminate();
    let line = process.wait_for_line("Collected : ");
    let (_, count) = line.rsplit_once(' ').expect("a line of words");
    count
        .parse()
        .unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn expect<T>(answer: Result<T, tokio_postgres::Error>) -> T {
    answer.unwrap_or_else(|error| panic!("the database: {error}"))
}
