//! How the monitor logs in, and what it says where it cannot.

use harness::raw::message;
use harness::{Ca, Leaf, Settings};

use super::{CREATE, PASSWORD, Stand, Watcher, has_role, is_gone, keys, watch};
use crate::scripted::{Script, Stand as Scripted};

/// The log has one line of why, which says this.
#[track_caller]
fn is_refused(stand: &Stand, says: &str) {
    let mut news = stand.watch();
    news.until("the refusal", is_gone);
    stand.server.process().wait_for_line(says);
    // Another attempt or two.
    for _ in 0..3 {
        news.news().unwrap();
    }
    assert_eq!(stand.said().len(), 1, "{:#?}", stand.said());
}

#[test]
fn every_way_to_log_in_works() {
    for method in ["scram-sha-256", "md5", "trust"] {
        let access = format!("host all pgseal_monitor 127.0.0.1/32 {method}");
        let settings = Settings::new().access(&access);
        let settings = match method {
            "md5" => settings.line("password_encryption = 'md5'"),
            _ => settings,
        };
        let stand = Stand::with(&settings, &[]);
        stand.watch().until(method, has_role("primary"));
    }
}

#[test]
fn a_wrong_password_is_one_line_that_says_what_to_do_and_a_new_one_is_read() {
    let stand = Stand::start();
    stand.watch().until("the database", has_role("primary"));
    stand
        .database
        .query("alter role pgseal_monitor password 'another'");
    let drop_session = "select pg_terminate_backend(pid) from pg_stat_activity \
                        where application_name = 'pgseal-monitor'";
    stand.database.query(drop_session);
    let mut news = stand.watch();
    news.until("the refusal", is_gone);
    for _ in 0..3 {
        news.news().unwrap();
    }
    let said = stand.said();
    assert_eq!(said.len(), 2, "{said:#?}");
    let why = "(28P01); correct the password in database.monitor.password_file, or the user's";
    assert!(said[1].contains(why), "{said:#?}");
    assert!(!said[1].contains(PASSWORD), "{said:#?}");
    stand.watcher.set_password("another");
    news.until("the database", has_role("primary"));
    assert_eq!(stand.said().len(), 3);
}

#[test]
fn a_password_in_clear_is_for_the_database_alone() {
    // Nobody is on the way.
    let (keys, watcher) = (keys(), Watcher::new());
    let settings = Settings::new().access("local all pgseal_monitor password");
    let database = settings.start_cluster();
    database.query(CREATE);
    let server = watcher.server(&keys, &database.socket().display().to_string(), &[]);
    watch(&keys, &server).until("the database", has_role("primary"));
    // Others are.
    let in_clear = "all pgseal_monitor 127.0.0.1/32 password";
    let stand = Stand::with(&Settings::new().access(&format!("host {in_clear}")), &[]);
    is_refused(
        &stand,
        "it asks for the password in clear, and others could read that",
    );

    let ca = Ca::new();
    let leaf = Leaf::server("database").without_uri();
    let settings = Settings::new()
        .access(&format!("hostssl {in_clear}"))
        .tls_as(&ca.issue(&leaf));
    let verify = [
        "database.sslmode = 'verify-ca'".to_owned(),
        format!("database.ca = '{}'", ca.certificate().display()),
    ];
    let stand = Stand::with(&settings, &verify.each_ref().map(String::as_str));
    stand.watch().until("the database", has_role("primary"));
    // Encrypted, but for whom?
    let stand = Stand::with(&settings, &["database.sslmode = 'require'"]);
    is_refused(
        &stand,
        "it asks for the password in clear, and others could read that",
    );
}

#[test]
fn what_is_no_postgresql_is_one_line() {
    let garbage = Script::at_once("garbage", b"HTTP/1.1 400 Bad Request\r\n\r\n");
    // An answer to the probe that looks right, and half an answer to the login.
    let half = Script::at_once("half", &message::tagged(b'R', &[0; 4])[..6]).then_closes();
    for script in [garbage, half] {
        let name = script.name.clone();
        let lines = ["database.monitor.user = 'pgseal_monitor'"];
        let stand = Scripted::start(vec![script; 20], &lines);
        let line = stand.server_says("the database does not answer the monitor");
        assert!(line.contains("ERROR"), "{name}: {line}");
    }
}
