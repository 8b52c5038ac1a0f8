//! Answers that no Patroni gives, from a script in its place, before a real database.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use harness::{Cluster, Keys, PATIENCE, Server, Watch};
use serde_json::json;

use super::{has_role, is_gone};

/// What is answered to everybody now; an answer that is not whole is followed by silence.
type Answer = Arc<Mutex<Vec<u8>>>;

fn listen(answer: &Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || say(stream.unwrap(), &answer));
        }
    });
    format!("http://{address}")
}

/// Answers one question after the other on the same connection, as HTTP/1.1 has it.
fn say(mut stream: TcpStream, answer: &Answer) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
        let answer = answer.lock().unwrap().clone();
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

#[test]
fn answers_that_no_patroni_gives_are_told_in_a_line_and_believed_nothing() {
    let right = json!({
        "state": "running", "role": "primary", "server_version": 150_013, "timeline": 1,
        "xlog": { "location": 7 },
    });
    let right = http("200 OK", &right.to_string());
    let answer = Answer::new(Mutex::new(right.clone()));
    let (keys, database) = (Keys::new(), Cluster::start());
    keys.add_client("app");
    let lines = [
        &format!("database.monitor.patroni = '{}'", listen(&answer)),
        "monitor_timeout = '200ms'",
        "monitor_interval = '20ms'",
    ];
    let identity = keys.server_identity("server");
    let address = database.address().to_string();
    let server = Server::start("server", &identity, &keys, &address, &lines);
    let mut news = Watch::start(&keys.client_identity("app"), server.port());
    news.until("the primary", has_role("primary"));

    let stopped = json!({ "state": "stopped", "role": "replica" }).to_string();
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20));
    let garbled = "does not answer as Patroni does";
    for (wrong, says) in [
        (http("200 OK", "{}"), garbled),
        (http("200 OK", "<html></html>"), garbled),
        (http("200 OK", &" ".repeat((64 << 10) + 1)), garbled),
        (long.into_bytes(), garbled),
        (b"220 smtp.example ESMTP\r\n".to_vec(), garbled),
        (vec![0; 100], garbled),
        (http("404 Not Found", ""), "answered with status 404"),
        (
            http("503 Service Unavailable", "{}"),
            "answered with status 503",
        ),
        (
            http("200 OK", &stopped),
            "says that the database is stopped, as replica",
        ),
        (
            right[..right.len() / 2].to_vec(),
            "gave no answer within 200 ms",
        ),
        (Vec::new(), "gave no answer within 200 ms"),
    ] {
        let told = |it: &str| it.matches("ERROR").count();
        let before = told(&server.process().log());
        *answer.lock().unwrap() = wrong.clone();
        news.until("nothing to be known", is_gone);
        let log = server.process().log();
        let line = log.lines().rfind(|line| line.contains("ERROR")).unwrap();
        assert!(line.contains(says), "{}: {line}", wrong.escape_ascii());
        *answer.lock().unwrap() = right.clone();
        news.until("the primary again", has_role("primary"));
        assert_eq!(
            told(&server.process().log()),
            before + 1,
            "{}",
            wrong.escape_ascii()
        );
    }
}
