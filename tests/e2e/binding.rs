//! Channel binding, where TLS ends at the server and another one goes on to the database: a login
//! that demands it fails, one that could have had it is told what to do, and none is bound to less
//! than it believes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use harness::raw::tls::{Hello, TlsStream};
use harness::raw::{Message, Session, Stream, message};
use harness::{Address, Auth, Chain, Finished, Keys, Link, Settings, psql, python};

const LOGIN: &str = "user=scram password=correct";

/// What the server says of it.
const OURS: &str =
    "this login cannot be bound to its TLS connection, which ends at the pgseal server";

/// The one question that everybody asks here.
const WHO: &str = "select current_user";

/// Asks it with psycopg, whose libpq speaks direct TLS.
const PSYCOPG: &str = "\
import sys, psycopg
try:
    with psycopg.connect(sys.argv[1]) as connection:
        print(connection.execute('select current_user').fetchone()[0])
except psycopg.OperationalError as error:
    sys.exit(str(error))
";

struct Stand {
    link: Link,
    keys: Keys,
}

impl Stand {
    /// Before a database that speaks TLS, and so offers channel binding.
    fn in_tls() -> Self {
        let chain = Chain::builder().server("database.sslmode = 'require'");
        Self::with(chain.settings(settings().tls()))
    }

    /// Before one that does not.
    fn in_clear() -> Self {
        Self::with(Chain::builder().settings(settings()))
    }

    fn with(chain: harness::ChainBuilder) -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let link = chain.start_link(&keys);
        Self { link, keys }
    }

    /// Logs in at the connector.
    fn at_connector(&self, more: &str) -> Finished {
        let conninfo = format!("{} {LOGIN} {more}", self.link.address().conninfo());
        psql(&conninfo, ["-Atc", WHO])
    }

    /// Logs in at the server, which is asked for TLS in clear, or not asked.
    fn at_server(&self, direct: bool, more: &str) -> Finished {
        let app = self.keys.client_identity("app");
        let conninfo = format!(
            "{} {LOGIN} sslmode=require sslcert={} sslkey={} {more}",
            Address::local(self.link.server.port()).conninfo(),
            app.certificate.display(),
            app.private_key.display(),
        );
        if direct {
            python(["-c", PSYCOPG, &format!("{conninfo} sslnegotiation=direct")]).run()
        } else {
            psql(&conninfo, ["-Atc", WHO])
        }
    }

    /// A raw session in TLS with the server, in which the user has named himself; and what he is
    /// offered.
    fn asked(&self) -> (Session<TlsStream>, Message) {
        let hello = Hello::from(&self.keys.client_identity("app"));
        let mut session = hello.connect(self.link.server.port()).unwrap();
        let offer = begin(&mut session);
        (session, offer)
    }
}

fn settings() -> Settings {
    Settings::new().user("scram", "correct", Auth::ScramSha256)
}

fn begin(session: &mut Session<impl Stream>) -> Message {
    session.send(message::startup(&[
        ("user", "scram"),
        ("database", "postgres"),
    ]));
    session.read().unwrap()
}

/// The mechanisms of an offer.
fn mechanisms(offer: &Message) -> String {
    assert_eq!((offer.tag, &offer.body[..4]), (b'R', &[0, 0, 0, 10][..]));
    offer.body[4..].escape_ascii().to_string()
}

#[test]
fn channel_binding_is_taken_out_of_the_offer_where_tls_ends() {
    let stand = Stand::in_tls();
    let mut direct = stand.link.database.address().raw();
    direct.send(message::ssl_request());
    assert_eq!(direct.read_byte(), Ok(b'S'));
    let hello = Hello::anonymous().alpn(&[]);
    let mut direct = hello.over(direct.into_stream()).unwrap();
    let both = r"SCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00";
    assert_eq!(mechanisms(&begin(&mut direct)), both);
    let unbound = r"SCRAM-SHA-256\x00\x00";
    let mut at_connector = stand.link.address().raw();
    assert_eq!(mechanisms(&begin(&mut at_connector)), unbound);
    assert_eq!(mechanisms(&stand.asked().1), unbound);
}

#[test]
fn a_login_that_demands_channel_binding_fails_wherever_tls_ends_on_the_way() {
    let demand = "channel_binding=require";
    for stand in [Stand::in_tls(), Stand::in_clear()] {
        for sslmode in ["disable", "prefer"] {
            let refused = stand.at_connector(&format!("{demand} sslmode={sslmode}"));
            let says = "channel binding required, but SSL not in use";
            assert!(refused.stderr.contains(says), "{}", refused.stderr);
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
        }
        for (direct, code) in [(false, 2), (true, 1)] {
            let refused = stand.at_server(direct, demand);
            let says = "channel binding is required, but server did not offer";
            assert!(refused.stderr.contains(says), "{}", refused.stderr);
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(code), ""));
        }
    }
}

#[test]
fn a_login_that_could_be_bound_hears_what_to_do() {
    let stand = Stand::in_tls();
    for direct in [false, true] {
        for preference in ["", "channel_binding=prefer"] {
            let refused = stand.at_server(direct, preference);
            assert!(refused.stderr.contains(OURS), "{}", refused.stderr);
            let says = "HINT:  Connect with channel_binding=disable, or through pgseal-connector.";
            assert!(refused.stderr.contains(says), "{}", refused.stderr);
            assert_eq!(refused.stdout, "");
        }
        let asked = stand.at_server(direct, "channel_binding=disable");
        assert_eq!(asked.success(), "scram\n");
        let wrong = stand.at_server(direct, "channel_binding=disable password=wrong");
        let says = "password authentication failed for user \"scram\"";
        assert!(wrong.stderr.contains(says), "{}", wrong.stderr);
        assert!(!wrong.stderr.contains(OURS), "{}", wrong.stderr);
    }
    assert_eq!(stand.at_connector("").success(), "scram\n");
}

#[test]
fn a_login_that_could_be_bound_succeeds_where_the_database_cannot_bind_either() {
    let stand = Stand::in_clear();
    for preference in ["", "channel_binding=disable"] {
        for direct in [false, true] {
            assert_eq!(stand.at_server(direct, preference).success(), "scram\n");
        }
        assert_eq!(stand.at_connector(preference).success(), "scram\n");
    }
}

/// SASLInitialResponse.
fn initial(mechanism: &str, says: &str) -> Vec<u8> {
    let length = u32::try_from(says.len()).unwrap().to_be_bytes();
    let body = [mechanism.as_bytes(), &[0], &length, says.as_bytes()];
    message::tagged(b'p', &body.concat())
}

/// The end of a SCRAM exchange that began with this header, with no proof to speak of.
fn finish(session: &mut Session<TlsStream>, header: &str, binding: &[u8]) -> Message {
    let goes_on = session.read().unwrap();
    assert_eq!((goes_on.tag, goes_on.body[3]), (b'R', 11), "{goes_on:?}");
    let says = String::from_utf8_lossy(&goes_on.body[4..]).into_owned();
    let nonce = says.split(',').next().unwrap();
    let bound = BASE64.encode([header.as_bytes(), binding].concat());
    let proof = BASE64.encode([0; 32]);
    let says = format!("c={bound},{nonce},p={proof}");
    session.send(message::tagged(b'p', says.as_bytes()));
    session.read().unwrap()
}

#[test]
fn whoever_speaks_of_channel_binding_unasked_is_refused_in_our_words() {
    let stand = Stand::in_tls();
    let is_ours = |error: Message| {
        assert_eq!(error.sqlstate(), "28000");
        assert_eq!(error.field(b'M').as_deref(), Some(OURS));
    };
    // It could, and thinks that the database cannot.
    let (mut session, _) = stand.asked();
    session.send(initial("SCRAM-SHA-256", "y,,n=,r=abc"));
    is_ours(session.read().unwrap());
    // It binds, though that was not offered.
    let (mut session, _) = stand.asked();
    let header = "p=tls-server-end-point,,";
    let says = format!("{header}n=,r=abc");
    session.send(initial("SCRAM-SHA-256-PLUS", &says));
    is_ours(finish(&mut session, header, &[7; 32]));
    // It cannot, and what is wrong with it is something else, in PostgreSQL's words.
    let (mut session, _) = stand.asked();
    session.send(initial("SCRAM-SHA-256", "n,,n=,r=abc"));
    let error = finish(&mut session, "n,,", b"");
    assert_eq!(error.sqlstate(), "28P01");
    let (mut session, _) = stand.asked();
    session.send(initial("SCRAM-SHA-256", "nonsense"));
    assert_eq!(session.read().unwrap().sqlstate(), "08P01");
}
