//! Certificates and CAs are exchanged while applications are at work.

use harness::{Ca, Identity, Leaf, Process, Signal, until};

use super::reload::trusting;
use super::{Stand, install};
use crate::under_change::Work;

const LINES: [&str; 2] = ["zone_mode = 'mixed'", "on_refused = 'error'"];

/// Has a program read its configuration and certificates again, and waits until it has.
fn reload(process: &Process) {
    let applied = || process.log().matches("configuration applied").count();
    let before = applied();
    process.signal(Signal::HUP);
    until("the configuration to be applied", || {
        (applied() > before).then_some(())
    });
}

/// Has applications work through the stand while `change` is made.
fn at_work(stand: &Stand, change: impl FnOnce()) {
    let zone = stand.keys.add_zone(&["app"]);
    let work = Work {
        connector: &stand.connector,
        database: &stand.database,
        zone: zone.owner().id(),
    };
    work.goes_on(change);
}

#[test]
fn certificates_are_renewed() {
    let stand = Stand::with(&LINES, &[]);
    at_work(&stand, || {
        for _ in 0..3 {
            install(
                &stand.dir,
                "server",
                &stand.ca.issue(&Leaf::server("primary")),
            );
            reload(stand.server.process());
            install(
                &stand.dir,
                "connector",
                &stand.ca.issue(&Leaf::client("app")),
            );
            reload(stand.connector.process());
        }
    });
}

#[test]
fn the_ca_is_exchanged() {
    let stand = Stand::with(&LINES, &[]);
    let new = Ca::new();
    let (app, primary) = (
        new.issue(&Leaf::client("app")),
        new.issue(&Leaf::server("primary")),
    );
    let server = |identity: &Identity| {
        install(&stand.dir, "server", identity);
        reload(stand.server.process());
    };
    let connector = |identity: &Identity| {
        install(&stand.dir, "connector", identity);
        reload(stand.connector.process());
    };
    at_work(&stand, || {
        let both = |identity: &Identity| trusting(&stand, identity, &[&stand.ca, &new]);
        server(&both(&stand.primary));
        connector(&both(&stand.app));
        server(&both(&primary));
        connector(&both(&app));
        server(&primary);
        connector(&app);
    });
}
