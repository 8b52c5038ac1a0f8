//! The example applications and psql, as the first seed's README has them: the same commands, and
//! what they print, line for line. Written through the primary's chain, read through the replica's.

use harness::{Chain, Link, Program, Settings, TestDir, psql, python, root};

/// Both implementations of the two programs.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    Python,
    Rust,
}

/// How the programs are told what to do. The seed's own command lines name no port and no password;
/// the ports of a test are its own, so these come from the environment.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    ByOptions,
    ByEnvironment,
}

/// A chain on which user postgres must give the password `test`, with the database `test`.
pub fn start() -> Chain {
    let settings = Settings::new().access("local all postgres scram-sha-256");
    let chain = Chain::builder().settings(settings).by_socket();
    let chain = chain.creates_zones().start();
    for sql in [
        "alter role postgres password 'test'",
        "create database test",
    ] {
        chain.primary.database.query(sql);
    }
    chain.wait_for_replay();
    chain
}

impl Language {
    fn program(self, name: &str) -> Program {
        match self {
            Self::Python => {
                let script = root().join(format!("examples/python/{name}.py"));
                python([script.to_str().unwrap()])
            }
            Self::Rust => Program::named(name),
        }
    }

    /// Runs a program through this link, with `options` such as `--data=some data`, and returns
    /// what it has printed.
    #[track_caller]
    fn run(self, told: Told, name: &str, link: &Link, options: &[&str]) -> String {
        let api = format!("http://127.0.0.1:{}", link.connector.api_port());
        let port = link.address().port().to_string();
        let stand = [
            "--host=127.0.0.1".to_owned(),
            format!("--port={port}"),
            format!("--api={api}"),
            "--db_name=test".to_owned(),
            "--db_user=postgres".to_owned(),
        ];
        let stand = stand.iter().map(String::as_str);
        let all = stand.chain(options.iter().copied());
        let program = self.program(name).env("EXAMPLE_DB_PASSWORD", "test");
        let program = match told {
            Told::ByOptions => program.args(all),
            Told::ByEnvironment => all.fold(program, |program, option| {
                let option = option.trim_start_matches('-');
                let (name, value) = option.split_once('=').unwrap_or((option, "1"));
                program.env(format!("EXAMPLE_{}", name.to_uppercase()), value)
            }),
        };
        let finished = program.run();
        assert_eq!(finished.stderr, "", "{name} {options:?}");
        finished.success()
    }

    /// The seed's tests without and with zones, where `switch` gives all servers another zone mode, and
    /// waits until they have it.
    #[track_caller]
    pub fn prints_the_seeds_lines(
        self,
        told: Told,
        chain: &mut Chain,
        mut switch: impl FnMut(&mut Chain, &str),
    ) {
        let (writer, reader) = (&chain.primary, &chain.replica);
        let name = "example_without_zone";
        let written = self.run(told, name, writer, &["--data=some data #1"]);
        assert_eq!(written, "insert data: some data #1\n");
        chain.wait_for_replay();
        let read = self.run(told, name, reader, &["--print"]);
        let lines = "id  - data                 - raw_data\n\
                     1   - some data #1         - some data #1\n";
        assert_eq!(read, lines);

        // "Before testing with zones, open AcraWebConfig and enable zone mode."
        switch(chain, "on");
        let (writer, reader) = (&chain.primary, &chain.replica);
        let name = "example_with_zone";
        let written = self.run(told, name, writer, &["--data=some data"]);
        let zone = written.strip_prefix("data: some data\nzone: ").unwrap();
        let zone = zone.strip_suffix('\n').unwrap();
        assert!(zone.starts_with("DDDDDDDD") && zone.len() == 24, "{zone}");
        chain.wait_for_replay();
        let read = self.run(
            told,
            name,
            reader,
            &["--print", &format!("--zone_id={zone}")],
        );
        let with_zone = format!(
            "use zone_id:  {zone}\n\
             id  - zone - data - raw_data\n\
             1   - {zone} - some data - some data\n"
        );
        assert_eq!(read, with_zone);

        // Another zone's id opens nothing, and without zone mode the first table opened alone.
        let other = chain.keys.add_zone(&["app"]);
        let wrong = format!("--zone_id={}", other.owner().id());
        let read = self.run(told, name, reader, &["--print", &wrong]);
        assert!(
            read.ends_with(&format!("1   - {zone} - (sealed, 89 bytes) - some data\n")),
            "{read}"
        );
        let read = self.run(told, "example_without_zone", reader, &["--print"]);
        assert!(
            read.ends_with("\n1   - (sealed, 92 bytes)   - some data #1\n"),
            "{read}"
        );
        stored_sealed(reader);

        // Disabled again, values without zones open again.
        switch(chain, "off");
        let (writer, reader) = (&chain.primary, &chain.replica);
        let name = "example_without_zone";
        self.run(told, name, writer, &["--data=some data #2"]);
        chain.wait_for_replay();
        let read = self.run(told, name, reader, &["--print"]);
        let second = "2   - some data #2         - some data #2\n";
        assert_eq!(read, format!("{lines}{second}"));
    }

    /// The same, where each server's file has the zone mode.
    fn prints_them_with_files(self, told: Told) {
        self.prints_the_seeds_lines(told, &mut start(), |chain, mode| {
            let line = format!("zone_mode = '{mode}'");
            chain.primary.server.apply(&[&line]);
            chain.replica.server.apply(&[&line]);
        });
    }
}

/// Panics unless the database has the values of both tables sealed.
fn stored_sealed(link: &Link) {
    let mut direct = link.database.address().raw();
    direct.send(harness::raw::message::startup(&[
        ("user", "postgres"),
        ("database", "test"),
    ]));
    direct.read_until_ready();
    for (table, clear) in [
        ("test_example_without_zone", "some data #1"),
        ("test_example_with_zone", "some data"),
    ] {
        let select = format!(
            "select position('\\xf5706773' in data), position('{clear}' in data), raw_data from {table}"
        );
        let stored = harness::raw::rows(&direct.query(&select));
        let expected = ["1", "0", clear].map(|text| Some(text.as_bytes().to_vec()));
        assert_eq!(stored, [expected], "{table}");
    }
}

#[test]
fn the_python_examples_print_the_seeds_lines() {
    Language::Python.prints_them_with_files(Told::ByOptions);
}

#[test]
fn the_rust_examples_print_the_seeds_lines() {
    Language::Rust.prints_them_with_files(Told::ByOptions);
}

#[test]
fn the_python_examples_take_their_options_from_the_environment() {
    Language::Python.prints_them_with_files(Told::ByEnvironment);
}

#[test]
fn the_rust_examples_take_their_options_from_the_environment() {
    Language::Rust.prints_them_with_files(Told::ByEnvironment);
}

#[test]
fn values_written_in_one_language_are_read_in_the_other() {
    let chain = start();
    let name = "example_without_zone";
    for (language, data) in [
        (Language::Python, "--data=aus Python ü"),
        (Language::Rust, "--data=aus Rust ü"),
    ] {
        language.run(Told::ByOptions, name, &chain.primary, &[data]);
    }
    chain.wait_for_replay();
    let lines = "id  - data                 - raw_data\n\
                 1   - aus Python ü         - aus Python ü\n\
                 2   - aus Rust ü           - aus Rust ü\n";
    for language in [Language::Python, Language::Rust] {
        let read = language.run(Told::ByOptions, name, &chain.replica, &["--print"]);
        assert_eq!(read, lines, "{language:?}");
    }
}

#[test]
fn psql_creates_and_lists_a_database_through_the_connector() {
    let chain = start();
    let url = |link: &Link, password: &str| {
        let port = link.address().port();
        format!("postgres://postgres:{password}@localhost:{port}/postgres?sslmode=disable")
    };
    let dir = TestDir::new("psql");
    let sql =
        "CREATE DATABASE \"TEST\" WITH OWNER=\"postgres\" TEMPLATE=template0 ENCODING='UTF-8';\n";
    let file = dir.write("create.sql", sql);
    let created = psql(&url(&chain.primary, "test"), ["-f", file.to_str().unwrap()]);
    assert_eq!(created.success(), "CREATE DATABASE\n");
    chain.wait_for_replay();
    for link in [&chain.primary, &chain.replica] {
        let listed = psql(&url(link, "test"), ["-c", r"\l"]).success();
        let mut lines = listed.lines();
        assert!(
            lines.next().unwrap().ends_with("List of databases"),
            "{listed}"
        );
        let names = lines.next().unwrap().split('|').map(str::trim);
        assert_eq!(
            names.take(3).collect::<Vec<_>>(),
            ["Name", "Owner", "Encoding"]
        );
        let test = lines.find(|line| line.starts_with(" TEST ")).unwrap();
        let fields: Vec<&str> = test.split('|').map(str::trim).collect();
        assert_eq!(fields[..3], ["TEST", "postgres", "UTF8"]);
        // The password counts.
        let refused = psql(&url(link, "wrong"), ["-c", r"\l"]);
        assert_eq!(refused.code, Some(2));
        assert!(
            refused.stderr.contains("password authentication failed"),
            "{}",
            refused.stderr
        );
    }
}
