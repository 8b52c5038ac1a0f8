//! Asks about clients and zones, and has them changed. For admins.

use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError};
use crate::path::{OWNERS_CLIENTS, OWNERS_ZONES};
use crate::{
    ClientChange, ClientCreation, ClientDetail, ClientsPage, OwnersQuery, ZoneChange, ZoneCreation,
    ZoneDetail, ZonesPage,
};

impl Client {
    /// A page of clients.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn clients(&self, query: &OwnersQuery) -> Result<ClientsPage, ClientError> {
        self.ask(&searched(OWNERS_CLIENTS, query)).await
    }

    /// A page of zones.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn zones(&self, query: &OwnersQuery) -> Result<ZonesPage, ClientError> {
        self.ask(&searched(OWNERS_ZONES, query)).await
    }

    /// One client.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one: with 404 if there is no such client.
    pub async fn client(&self, id: &str) -> Result<ClientDetail, ClientError> {
        self.ask(&named(OWNERS_CLIENTS, id)).await
    }

    /// One zone.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one: with 404 if there is no such zone.
    pub async fn zone(&self, id: &str) -> Result<ZoneDetail, ClientError> {
        self.ask(&named(OWNERS_ZONES, id)).await
    }

    /// Adds a client.
    ///
    /// # Errors
    /// There is no answer, and it may have been done; or the server refuses, and it was not.
    pub async fn add_client(&self, new: &ClientCreation) -> Result<ClientDetail, ClientError> {
        self.tell(OWNERS_CLIENTS, new).await
    }

    /// Adds a zone.
    ///
    /// # Errors
    /// There is no answer, and it may have been done; or the server refuses, and it was not.
    pub async fn add_zone(&self, new: &ZoneCreation) -> Result<ZoneDetail, ClientError> {
        self.tell(OWNERS_ZONES, new).await
    }

    /// Changes a client.
    ///
    /// # Errors
    /// There is no answer, and it may have been done; or the server refuses, and it was not.
    pub async fn change_client(
        &self,
        id: &str,
        change: &ClientChange,
    ) -> Result<ClientDetail, ClientError> {
        self.tell(&named(OWNERS_CLIENTS, id), change).await
    }

    /// Changes a zone.
    ///
    /// # Errors
    /// There is no answer, and it may have been done; or the server refuses, and it was not.
    pub async fn change_zone(
        &self,
        id: &str,
        change: &ZoneChange,
    ) -> Result<ZoneDetail, ClientError> {
        self.tell(&named(OWNERS_ZONES, id), change).await
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.send(Method::GET, path, Bytes::new()).await?;
        self.understood(answer)
    }

    async fn tell<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(what).expect("it is made of text and numbers");
        let answer = self.send(Method::POST, path, body.into()).await?;
        self.understood(answer)
    }
}

fn named(path: &str, id: &str) -> String {
    format!("{path}/{}", percent_encoded(id))
}

fn searched(path: &str, query: &OwnersQuery) -> String {
    let OwnersQuery {
        prefix,
        after,
        limit,
    } = query;
    let mut path = format!("{path}?limit={limit}&prefix={}", percent_encoded(prefix));
    if let Some(after) = after {
        path += &format!("&after={}", percent_encoded(after));
    }
    path
}

/// A text percent-encoded for a path or a query, all but what never needs it (RFC 3986, section 2.3).
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).into(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_stays_in_its_place() {
        assert_eq!(named("/p", "tenant-1"), "/p/tenant-1");
        assert_eq!(
            named("/p", "../x?y#z %/\r\n"),
            "/p/%2E%2E%2Fx%3Fy%23z%20%25%2F%0D%0A"
        );
        let query = OwnersQuery {
            prefix: "a&limit=9".into(),
            after: Some("b:c@d".into()),
            limit: 5,
        };
        assert_eq!(
            searched("/p", &query),
            "/p?limit=5&prefix=a%26limit%3D9&after=b%3Ac%40d"
        );
    }
}
