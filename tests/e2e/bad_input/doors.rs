//! A link to throw bad input at, by all of its doors.

use harness::http::Request;
use harness::raw::tls::Hello;
use harness::raw::{Session, Stream, message, tags};
use harness::{Chain, Identity, Keys, Link, Process, until};

/// How much more memory than at the start a program may ever have used, in bytes. Hundreds of
/// gigabytes are announced to it.
const ROOM: u64 = 8 << 20;

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The server's port, nothing encrypted yet.
    ServerInClear,
    /// The server's port, encrypted after an SSLRequest.
    ServerClassicTls,
    /// The server's port, encrypted from the first byte.
    ServerDirectTls,
    /// The control API on the server's port.
    ServerHttp,
    /// The server's ops port.
    ServerOps,
    /// The connector's port.
    Connector,
    /// The connector's local API.
    ConnectorApi,
}

/// Those that speak PostgreSQL's protocol.
pub const DATA: [Door; 4] = [
    Door::ServerInClear,
    Door::ServerClassicTls,
    Door::ServerDirectTls,
    Door::Connector,
];

/// Those that speak HTTP.
pub const HTTP: [Door; 3] = [Door::ServerHttp, Door::ServerOps, Door::ConnectorApi];

/// The link, and how much memory its programs had used before anything bad came.
pub struct Stand {
    pub link: Link,
    pub keys: Keys,
    peaks: [u64; 2],
}

impl Stand {
    /// Starts the link; peers have `startup_timeout` (such as `2s`) to say what they want.
    pub fn start(startup_timeout: &str) -> Self {
        let line = format!("startup_timeout = '{startup_timeout}'");
        let keys = Keys::new();
        keys.add_client("app");
        let link = Chain::builder()
            .server(&line)
            .connector(&line)
            .start_link(&keys);
        let mut stand = Self {
            link,
            keys,
            peaks: [0; 2],
        };
        stand.serves();
        stand.peaks = stand.programs().map(Process::peak_memory);
        stand
    }

    /// Connects, and sends nothing but what encryption takes.
    pub fn open(&self, door: Door) -> Session<Box<dyn Stream>> {
        let server = self.link.server.port();
        let plain = |port| Session::connect(([127, 0, 0, 1], port).into());
        let hello = Hello::from(&self.app());
        let session = match door {
            Door::ServerInClear => return plain(server).boxed(),
            Door::ServerOps => return plain(self.link.server.ops_port()).boxed(),
            Door::Connector => return self.link.address().raw().boxed(),
            Door::ConnectorApi => return plain(self.link.connector.api_port()).boxed(),
            Door::ServerClassicTls => {
                let mut session = plain(server);
                session.send(message::ssl_request());
                assert_eq!(session.read_byte(), Ok(b'S'));
                hello.alpn(&[]).over(session.into_stream())
            }
            Door::ServerDirectTls => hello.connect(server),
            Door::ServerHttp => hello.alpn(&["http/1.1"]).connect(server),
        };
        session
            .unwrap_or_else(|error| panic!("{door:?}: {error}"))
            .boxed()
    }

    /// The certificate of the client that the connector is.
    pub fn app(&self) -> Identity {
        self.keys.client_identity("app")
    }

    /// Nothing has happened: both programs run and serve, no session is left, no defect shows, and
    /// memory has not grown.
    #[track_caller]
    pub fn is_unharmed(&self) {
        self.serves();
        until("every session to end", || {
            let status = Request::get("/v1/status");
            let status = self.link.server.control(&self.app(), &status);
            (status.json()["sessions"] == 0).then_some(())
        });
        for (process, before) in self.programs().into_iter().zip(self.peaks) {
            assert_eq!(process.ended(), None);
            assert!(!process.panicked());
            let grown = process.peak_memory() - before;
            assert!(grown < ROOM, "{grown} bytes more than before: {process:?}");
        }
    }

    #[track_caller]
    fn serves(&self) {
        let mut session = self.link.address().raw();
        session.start();
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
        session.send(message::terminate());
        assert_eq!(self.link.server.ops("/health").status, 200);
        assert_eq!(
            self.link.connector.api(&Request::get("/v1/client")).status,
            200
        );
    }

    fn programs(&self) -> [&Process; 2] {
        [self.link.server.process(), self.link.connector.process()]
    }
}
