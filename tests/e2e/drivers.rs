//! Programs written with the drivers that applications use, through the chain: each says the same
//! there, of sealed values, as on a direct connection of values in clear. What they are given, and
//! what they say, is in `tests/drivers/README.md`.

mod programs;
mod values;

use std::time::Duration;

use harness::{Address, Chain, Keys, Link, Program, TestDir, report};

use programs::{go, java, node, python_script, rust, shell};
use values::Values;

/// How long a program may take. Most of their drivers have shorter limits for each statement.
const LIMIT: Duration = Duration::from_secs(900);

#[test]
fn psql_says_the_same_through_the_chain() {
    let script = r#"exec psql -X "$CHAIN_URL" -f "$0""#;
    same_as_direct("psql", shell(script, "psql/psql.sql"));
}

#[test]
fn pgbench_says_the_same_through_the_chain() {
    same_as_direct("pgbench", shell(r#"source "$0""#, "pgbench/pgbench.sh"));
}

#[test]
fn psycopg_2_says_the_same_through_the_chain() {
    same_as_direct("psycopg2", python_script("python/with_psycopg2.py"));
}

#[test]
fn psycopg_3_says_the_same_through_the_chain() {
    same_as_direct("psycopg", python_script("python/with_psycopg.py"));
}

#[test]
fn asyncpg_says_the_same_through_the_chain() {
    same_as_direct("asyncpg", python_script("python/with_asyncpg.py"));
}

#[test]
fn sqlalchemy_says_the_same_through_the_chain() {
    same_as_direct("sqlalchemy", python_script("python/with_sqlalchemy.py"));
}

#[test]
fn django_says_the_same_through_the_chain() {
    same_as_direct("django", python_script("python/with_django.py"));
}

#[test]
fn node_postgres_says_the_same_through_the_chain() {
    same_as_direct("node-postgres", node("node/with_pg.js"));
}

#[test]
fn tokio_postgres_says_the_same_through_the_chain() {
    same_as_direct("tokio-postgres", rust("with_tokio_postgres"));
}

#[test]
fn sqlx_says_the_same_through_the_chain() {
    same_as_direct("sqlx", rust("with_sqlx"));
}

#[test]
fn jdbc_says_the_same_through_the_chain() {
    same_as_direct("jdbc", java("java/WithJdbc.java"));
}

#[test]
fn pgx_says_the_same_through_the_chain() {
    same_as_direct("pgx", go("go/with_pgx.go"));
}

/// One way from a program to a database.
#[derive(Clone, Copy)]
enum Run {
    /// Without pgseal, and values in clear.
    Direct,
    /// Through connector and server, and sealed values.
    Chain,
}

impl Run {
    /// The name of its database.
    fn database(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Chain => "chain",
        }
    }
}

/// Runs a driver's program on a direct connection, and through the chain, and compares.
#[track_caller]
fn same_as_direct(driver: &str, program: Program) {
    let keys = Keys::new();
    let client = keys.add_client("app");
    let link = Chain::builder().zone_mode("off").start_link(&keys);
    let values = Values::random();
    let program = program.label(driver).limit(LIMIT);

    let direct = said(&link, Run::Direct, &program, &values.in_clear());
    let chain = said(&link, Run::Chain, &program, &values.sealed_to(&client));

    let (version, checks) = direct.split_first().expect("it says what it is");
    let equal = if chain == direct {
        "equal"
    } else {
        "DIFFERENT"
    };
    let line = format!("  {version:<40} {:>3} checks  {equal}\n", checks.len());
    report(&format!("drivers-{driver}"), &line);
    assert!(!checks.is_empty(), "it has checked nothing");
    assert_eq!(
        chain, direct,
        "what it says through the chain, and directly"
    );
}

/// The lines that a program says, which must succeed.
#[track_caller]
fn said(link: &Link, run: Run, program: &Program, values: &TestDir) -> Vec<String> {
    let database = run.database();
    link.database.query(&format!("create database {database}"));
    let url = |address: Address| format!("postgresql://postgres@{address}/{database}");
    let direct = url(link.database.address());
    let program = program
        .clone()
        .env("DIRECT_URL", &direct)
        .env("VALUES", values.path());
    let program = match run {
        Run::Direct => program.env("CHAIN_URL", &direct),
        Run::Chain => program.env("CHAIN_URL", url(link.address())).env(
            "API",
            format!("http://127.0.0.1:{}", link.connector.api_port()),
        ),
    };
    let lines = program.run().success();
    lines.lines().map(str::to_owned).collect()
}
