//! What a connector takes for its server: an impostor hears not a word of the application.

use harness::http::Request;
use harness::raw::{message, tags};
use harness::{Ca, Connector, Identity, Impostor, Keys, Leaf, TestDir, until};

use super::{strangers, trusting};

/// A connector that trusts `ca`, and expects its server to be `primary`.
fn connector(ca: &Ca, dir: &TestDir, server: u16, lines: &[&str]) -> Connector {
    let identity = trusting(
        &Keys::new().client_identity("app"),
        &[ca.certificate()],
        dir,
    );
    let lines = [&["server_ids = ['primary', 'replica']"], lines].concat();
    Connector::start("connector", &identity, server, &lines)
}

#[test]
fn an_impostor_hears_nothing_and_the_application_is_told() {
    let (ca, dir) = (Ca::new(), TestDir::new("trusted"));
    let server = || Leaf::server("primary");
    let strangers = strangers();
    let [stranger, namesake] = strangers.each_ref().map(|ca| ca.issue(&server()));
    let impostors: [(&str, Identity, &str); 11] = [
        ("of another CA", stranger, "UnknownIssuer"),
        ("of a CA of the same name", namesake, "BadSignature"),
        ("expired", ca.issue(&server().expired()), "expired"),
        (
            "not yet valid",
            ca.issue(&server().not_yet_valid()),
            "not valid yet",
        ),
        (
            "a client",
            ca.issue(&Leaf::client("primary").any_usage()),
            "the peer is client primary, and not a server",
        ),
        (
            "an admin",
            ca.issue(&Leaf::admin("primary").any_usage()),
            "the peer is admin primary, and not a server",
        ),
        (
            "a client, by usage too",
            ca.issue(&Leaf::client("primary")),
            "",
        ),
        (
            "of an unexpected id",
            ca.issue(&Leaf::server("tertiary")),
            "server tertiary, which server_ids does not name",
        ),
        (
            "of an id in other letters",
            ca.issue(&Leaf::server("Primary")),
            "server Primary",
        ),
        (
            "with two names",
            ca.issue(&server().and_uri("pgseal://server/replica")),
            "2 URI names",
        ),
        (
            "with a host name alone",
            ca.issue(&server().without_uri().and_host("127.0.0.1")),
            "0 URI names",
        ),
    ];
    for (case, identity, why) in &impostors {
        let impostor = Impostor::start(identity);
        let connector = connector(&ca, &dir, impostor.port(), &[]);
        let mut session = connector.address().raw();
        session.send(message::startup(&[
            ("user", "postgres"),
            ("password", "a secret"),
        ]));
        let heard = session.read_until_closed();
        assert_eq!(tags(&heard), "E", "{case}");
        assert_eq!(heard[0].sqlstate(), "08006", "{case}");
        assert_eq!(heard[0].field(b'S').as_deref(), Some("FATAL"), "{case}");
        let api = connector.api(&Request::post("/v1/zones").body("{}"));
        assert_eq!(api.status, 403, "{case}");
        let api = connector.api(&Request::get("/v1/client"));
        assert_eq!(api.status, 502, "{case}");
        // A request to cancel is a secret too.
        let mut cancel = connector.address().raw();
        cancel.send(message::cancel_request(&[0, 0, 0, 7, 1, 2, 3, 4]));
        assert_eq!(cancel.read_until_closed(), [], "{case}");
        // These three, and those that are to say who is revoked.
        until("the connections to be over", || {
            (impostor.connections() > 3).then_some(())
        });
        assert_eq!(impostor.heard(), b"", "{case}");
        let line = connector
            .process()
            .wait_for_line("invalid peer certificate");
        assert!(line.contains(why), "{case}: {line}");
    }
}

#[test]
fn a_server_as_expected_hears_the_application() {
    let (ca, dir) = (Ca::new(), TestDir::new("trusted"));
    for id in ["primary", "replica"] {
        let impostor = Impostor::start(&ca.issue(&Leaf::server(id)));
        // Nothing but the application's session is to be heard.
        let connector = connector(&ca, &dir, impostor.port(), &["control = '127.0.0.1:1'"]);
        let startup = message::startup(&[("user", "postgres")]);
        let mut session = connector.address().raw();
        session.send(&startup);
        until("the server to hear", || {
            (impostor.heard() == startup).then_some(())
        });
        let heard = session.read_until_closed();
        assert_eq!(tags(&heard), "E");
    }
}
