//! Where a session starts: a host, a port, and what `psql` and `tokio-postgres` make of them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use tokio_postgres::{Client, NoTls};

use crate::raw::Session;

/// The PostgreSQL address of something: a database, a connector, a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    host: Ipv4Addr,
    port: u16,
}

impl Address {
    /// The address of this port of 127.0.0.1.
    pub fn local(port: u16) -> Self {
        Self::new(Ipv4Addr::LOCALHOST, port)
    }

    /// The address of a port of any host.
    pub fn new(host: Ipv4Addr, port: u16) -> Self {
        Self { host, port }
    }

    /// The port.
    pub fn port(self) -> u16 {
        self.port
    }

    /// The same as the standard library has it.
    pub fn socket(self) -> SocketAddr {
        SocketAddr::from((self.host, self.port))
    }

    /// A connection string for user and database `postgres`, without TLS; more can be appended,
    /// and what is appended counts.
    pub fn conninfo(self) -> String {
        format!(
            "host={} port={} user=postgres dbname=postgres sslmode=disable",
            self.host, self.port
        )
    }

    /// Opens a session as user postgres in database postgres.
    pub async fn connect(self) -> Client {
        self.connect_with("").await
    }

    /// Opens a session with these parameters over those of [`conninfo`](Self::conninfo), such as
    /// `user=alice password=secret`.
    pub async fn connect_with(self, parameters: &str) -> Client {
        self.try_connect_with(parameters)
            .await
            .unwrap_or_else(|error| panic!("a session with {self} ({parameters}): {error:?}"))
    }

    /// [`connect_with`](Self::connect_with) for sessions that are meant to fail.
    pub async fn try_connect_with(self, parameters: &str) -> Result<Client, tokio_postgres::Error> {
        let conninfo = format!("{} {parameters}", self.conninfo());
        let (client, connection) = tokio_postgres::connect(&conninfo, NoTls).await?;
        // Its error reaches the client as the failure of what was asked.
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }

    /// Opens a connection and sends nothing yet.
    pub fn raw(self) -> Session {
        Session::connect(self.socket())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().fmt(f)
    }
}
