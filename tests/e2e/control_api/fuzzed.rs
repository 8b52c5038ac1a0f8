//! What schemathesis makes of `/v1/openapi.json`, as each role: requests that are right, and requests that
//! are wrong in every way it knows. Nothing is answered with 500, and everything as the document says.

use std::thread;
use std::time::Duration;

use harness::{Identity, Program, TestDir, python, rounds};

use super::described::Alone;
use super::*;

/// What is looked at of every answer. That each wrong request is refused is not: fields of a query that
/// mean nothing are passed over.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance";

/// Panics unless it finds nothing wrong.
fn run(stand: &Alone, who: &Identity) {
    // It leaves files where it runs.
    let dir = TestDir::new("schemathesis");
    let there = Program::at("env").arg("--chdir").arg(dir.join(""));
    let document = format!("https://127.0.0.1:{}/v1/openapi.json", stand.server.port());
    let ran = python(["-m", "schemathesis.cli", "run", &document])
        .args(["--phases", "coverage,fuzzing", "--checks", CHECKS])
        // It has no end.
        .args(["--exclude-path", "/v1/watch"])
        .args(["--max-examples", &rounds(20).to_string(), "--seed", "34"])
        .args(["--generation-database", "none", "--no-color", "--no-shrink"])
        // A busy machine is slow, and nothing is wrong with that.
        .args(["--request-timeout", "60", "--suppress-health-check", "all"])
        // A connection that it keeps is closed when it has been idle, perhaps just as it asks again.
        .args(["--request-retries", "2"])
        .arg("--request-cert")
        .arg(&who.certificate)
        .arg("--request-cert-key")
        .arg(&who.private_key)
        // The server's certificate names a role, and no host.
        .args(["--tls-verify", "false"])
        .under(there)
        .limit(Duration::from_secs(300))
        .run();
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let told = |words: &str| ran.stdout.lines().any(|line| line.contains(words));
    let is_whole = ["Coverage", "Fuzzing", "generated, "].into_iter().all(told);
    assert!(is_whole, "{}", ran.stdout);
}

#[test]
fn no_request_that_schemathesis_makes_is_answered_otherwise_than_described() {
    let stand = Alone::start();
    let keys = &stand.keys;
    let identities = [
        keys.admin_identity("root"),
        keys.client_identity("app"),
        keys.server_identity("another"),
    ];
    thread::scope(|scope| {
        for identity in &identities {
            scope.spawn(|| run(&stand, identity));
        }
    });
    let log = stand.server.process().log();
    assert!(!log.contains("panicked"), "{log}");
    // It has not drained for good, nor ended.
    let status = stand
        .server
        .control(&identities[0], &Request::get("/v1/status"));
    assert_eq!(status.status, 200, "{status:?}");
}
