//! Servers that are not as servers should be: sessions go elsewhere, and the log says why, once.

use std::time::{Duration, Instant};

use harness::raw::tags;
use harness::{Impostor, Keys, Several, Tap, until};

use super::{Then, all_up, in_turn, none_fails, session, under_connects};

#[test]
fn a_server_that_answers_garbage_or_half_an_answer_or_nothing_is_down_and_told_of_once() {
    let garbage = vec![0x55; 10_000];
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"revocations\":".to_vec();
    let endless = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n".as_slice(),
        &[b'x'; 100_000],
    ];
    let no_news = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n[1,2,3]\n".to_vec();
    for (what, says) in [
        ("garbage", garbage),
        ("half an answer", half),
        ("an answer without end", endless.concat()),
        ("what is no news", no_news),
        ("nothing", Vec::new()),
    ] {
        let keys = Keys::new();
        let impostor = Impostor::saying(&keys.server_identity("impostor"), says);
        let address = format!("127.0.0.1:{}", impostor.port());
        let several = Several::start_with(keys, 1, &[&address], &["checks.timeout = '500ms'"]);
        all_up(&several);
        let failed = format!("server_checks_failed_total{{server=\"{address}\"}}");
        until("three checks of it", || {
            (several.connector.counted(&failed) > 2).then_some(())
        });
        for _ in 0..6 {
            assert_eq!(tags(&session(&several).query("select 1")), "TDCZ", "{what}");
        }
        let log = several.connector.process().log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&address)).collect();
        let lines: Vec<_> = lines
            .iter()
            .filter(|line| !line.contains(" ready "))
            .collect();
        assert_eq!(lines.len(), 1, "{what}: {log}");
        assert!(
            lines[0].contains(&format!("{address} is down: ")),
            "{what}: {log}"
        );
    }
}

#[test]
fn a_server_whose_connections_break_all_the_time_costs_those_alone_and_fills_no_log() {
    let _turn = in_turn();
    let mut several = Several::start(2, &[], &[]);
    let tap = Tap::to(several.servers[0].port());
    let list = format!(
        "servers = ['127.0.0.1:{}', '127.0.0.1:{}']",
        tap.port(),
        several.servers[1].port()
    );
    several.connector.apply(&[&list]);
    let up = format!("server_up{{server=\"127.0.0.1:{}\"}}", tap.port());
    until("it to be up", || {
        (several.connector.counted(&up) == 1).then_some(())
    });
    let connects = under_connects(several.address(), Then::End, Duration::ZERO, || {
        let end = Instant::now() + Duration::from_secs(3);
        let mut next = Instant::now();
        until("the time to be over", || {
            if Instant::now() > next {
                tap.cut();
                next = Instant::now() + Duration::from_millis(50);
            }
            (Instant::now() > end).then_some(())
        });
    });
    // One that had begun to answer cannot be taken back: it is told in PostgreSQL's way.
    let failed: Vec<_> = connects.iter().filter(|it| it.met.is_some()).collect();
    let told = |met: &str| met.contains("C57P01") || met.contains("C08006") || met == "Closed";
    assert!(
        failed.iter().all(|it| it.met.as_deref().is_some_and(told)),
        "{failed:?}"
    );
    assert!(
        failed.len() * 4 < connects.len(),
        "{} of {}",
        failed.len(),
        connects.len()
    );
    let log = several.connector.process().log();
    let lines = log
        .lines()
        .filter(|line| line.contains("the server 127"))
        .count();
    assert!(lines < 12, "{log}");
    // It is as good as another when that is over.
    until("it to be up", || {
        (several.connector.counted(&up) == 1).then_some(())
    });
    none_fails(
        &under_connects(
            several.address(),
            Then::Query,
            Duration::from_secs(1),
            || {},
        ),
        harness::PATIENCE,
    );
}
