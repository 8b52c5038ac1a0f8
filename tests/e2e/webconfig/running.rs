//! The program itself: signals, and its configuration read again.

use harness::{Keys, Signal, free_port};

use super::*;

#[test]
fn the_configuration_is_read_again_whole_or_not_at_all_and_the_program_ends_when_asked() {
    let (keys, port) = (Keys::new(), free_port());
    let mut page = Webconfig::start(&keys.admin_identity("page"), &[port.number()], &[]);
    page.apply(&["log.level = 'debug'", "session_timeout = '1h'"]);
    let waiting = page.process().wait_for_line("waiting for a restart");
    assert!(
        waiting.contains("session_timeout") && !waiting.contains("log.level"),
        "{waiting}"
    );
    let ca = keys.ca().join("no-such.crt");
    page.reconfigure(&[&format!("tls.ca = '{}'", ca.display())]);
    let refused = page
        .process()
        .wait_for_line("the configuration stays as it was");
    assert!(refused.contains("tls.ca"), "{refused}");
    let other = keys.admin_identity("somebody-else");
    page.reconfigure(&[
        &format!("tls.ca = '{}'", other.ca.display()),
        &format!("tls.certificate = '{}'", other.certificate.display()),
        &format!("tls.private_key = '{}'", other.private_key.display()),
    ]);
    page.process()
        .wait_for_line("does not change while it runs");
    page.process().signal(Signal::TERM);
    assert!(page.process().wait().success());
}
