//! The connector's local API, as far as a writer needs it: whom to seal to.
//!
//! Nothing is taken from it unchecked. It speaks plain HTTP and is for programs of the same host,
//! so an address beyond loopback is refused: whoever stands between could hand out a key of its own.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::{KeyError, Kind, Owner, PublicKey, Recipient, ZoneId};
use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

/// Most bytes of an answer that are read; a recipient has some 200.
const MAX_ANSWER: u64 = 64 * 1024;

/// From asking to the whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The connector beside this application, by its API's address.
#[derive(Clone, Debug)]
pub struct Connector {
    url: String,
    agent: Agent,
}

/// Why there is no recipient.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// Nobody listens there, or no whole answer came in time.
    #[error("no connector answers at {0}: {1}")]
    Unreachable(String, #[source] ureq::Error),
    /// The API answered with an error.
    #[error("{question} was refused ({status}): {reason}")]
    Refused {
        /// Method and address.
        question: String,
        /// The HTTP status.
        status: u16,
        /// The API's own line.
        reason: String,
    },
    /// What answers is not the API of a connector, or answers wrongly.
    #[error("no usable key from {0}: {1}")]
    BadAnswer(String, String),
}

impl FromStr for Connector {
    type Err = String;

    /// From an address like `http://127.0.0.1:9191`. Asks nothing yet.
    fn from_str(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "not an address".to_owned())?;
        if uri.scheme_str() != Some("http") || uri.path() != "/" || uri.query().is_some() {
            return Err("not an address like http://127.0.0.1:9191".to_owned());
        }
        if !uri.host().is_some_and(is_loopback) {
            return Err("not on loopback: the API is for the connector's own host".to_owned());
        }
        let agent = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        Ok(Connector {
            url: url.trim_end_matches('/').to_owned(),
            agent,
        })
    }
}

impl Connector {
    /// The client that this connector stands for.
    pub fn client(&self) -> Result<Recipient, ConnectorError> {
        let url = format!("{}/v1/client", self.url);
        let answer = self.agent.get(&url).call();
        recipient(&url, Kind::Client, self.read("GET", &url, answer)?)
    }

    /// A new zone. Both the connector and the client's record must allow it.
    pub fn new_zone(&self) -> Result<Recipient, ConnectorError> {
        let url = format!("{}/v1/zones", self.url);
        let answer = self.agent.post(&url).send_empty();
        recipient(&url, Kind::Zone, self.read("POST", &url, answer)?)
    }

    /// The zone of this id.
    pub fn zone(&self, id: &ZoneId) -> Result<Recipient, ConnectorError> {
        let url = format!("{}/v1/zones/{id}", self.url);
        let answer = self.agent.get(&url).call();
        let zone = recipient(&url, Kind::Zone, self.read("GET", &url, answer)?)?;
        if zone.owner().id() != id.as_str() {
            return Err(bad(&url, "the answer is another zone"));
        }
        Ok(zone)
    }

    fn read(
        &self,
        method: &str,
        url: &str,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Value, ConnectorError> {
        let unreachable = |error| ConnectorError::Unreachable(self.url.clone(), error);
        let mut answer = answer.map_err(unreachable)?;
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        let body = body.read_to_vec().map_err(unreachable)?;
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if answer.status().is_success() {
            return Ok(json);
        }
        Err(ConnectorError::Refused {
            question: format!("{method} {url}"),
            status: answer.status().as_u16(),
            reason: reason(&json),
        })
    }
}

/// A public key from base64 with padding, as it is handed out.
pub fn public_key(text: &str) -> Result<PublicKey, String> {
    let bytes = STANDARD.decode(text).map_err(|_| "not base64")?;
    PublicKey::try_from(bytes.as_slice()).map_err(|error| error.to_string())
}

/// Checks and takes `{"kind", "id", "public_key", "key_id"}`.
fn recipient(url: &str, kind: Kind, answer: Value) -> Result<Recipient, ConnectorError> {
    let text = |name: &str| {
        let text = answer.get(name).and_then(Value::as_str);
        text.ok_or_else(|| bad(url, format!("no text in {name:?}")))
    };
    if text("kind")? != kind.to_string() {
        return Err(bad(url, format!("the answer is no {kind}")));
    }
    let owner = Owner::new(kind, text("id")?).map_err(|error| bad(url, error))?;
    let public_key = public_key(text("public_key")?).map_err(|error| bad(url, error))?;
    let key_id = text("key_id")?
        .parse()
        .map_err(|error: KeyError| bad(url, error))?;
    Recipient::checked(owner, public_key, key_id).map_err(|error| bad(url, error))
}

fn bad(url: &str, reason: impl Display) -> ConnectorError {
    ConnectorError::BadAnswer(url.to_owned(), reason.to_string())
}

/// The API's own line, made fit for a terminal.
fn reason(answer: &Value) -> String {
    let line = answer.get("error").and_then(Value::as_str);
    let line = line.unwrap_or("no reason given");
    line.replace(char::is_control, " ")
        .chars()
        .take(300)
        .collect()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_plain_http_on_loopback_is_an_address() {
        for url in [
            "http://127.0.0.1:9191",
            "http://127.0.0.1:9191/",
            "http://localhost:9191",
            "http://[::1]:9191",
        ] {
            assert!(url.parse::<Connector>().is_ok(), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:9191",
            "https://127.0.0.1:9191",
            "http://127.0.0.1:9191/v1",
            "http://127.0.0.1:9191/?a",
            "http://10.0.0.7:9191",
            "http://connector:9191",
            "http://127.0.0.1.example.com",
        ] {
            assert!(url.parse::<Connector>().is_err(), "{url}");
        }
    }

    #[test]
    fn a_recipient_is_taken_only_whole_and_of_the_kind_asked_for() {
        let good = json!({
            "kind": "client",
            "id": "app",
            "public_key": "Qt+K8w9e065MO48UdaFilHahWFPtYLzxpVw7y98Bfh0=",
            "key_id": "60ae988d541df243",
            "version": 1,
        });
        assert!(recipient("", Kind::Client, good.clone()).is_ok());
        assert!(recipient("", Kind::Zone, good.clone()).is_err());
        for (name, value) in [
            ("kind", json!("zone")),
            ("id", json!("my app")),
            (
                "public_key",
                json!("Qt+K8w9e065MO48UdaFilHahWFPtYLzxpVw7y98Bfp0="),
            ),
            ("public_key", json!(7)),
            ("key_id", json!("60ae988d541df244")),
            ("key_id", json!(null)),
        ] {
            let mut changed = good.clone();
            changed[name] = value;
            assert!(recipient("", Kind::Client, changed).is_err(), "{name}");
        }
        assert!(recipient("", Kind::Client, Value::Null).is_err());
    }

    #[test]
    fn a_reason_is_one_printable_line() {
        assert_eq!(
            reason(&json!({"error": "two\nlines\u{1b}[31m"})),
            "two lines [31m"
        );
        assert_eq!(reason(&json!({"error": 7})), "no reason given");
        assert_eq!(reason(&json!({"error": "x".repeat(500)})).len(), 300);
    }
}
