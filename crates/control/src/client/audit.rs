//! Reads the audit log, and has it verified. For admins.

use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError};
use crate::path::{AUDIT, AUDIT_VERIFY};
use crate::{AuditMark, AuditPage, AuditQuery, AuditVerified};

impl Client {
    /// A part of the audit log.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn audit(&self, query: &AuditQuery) -> Result<AuditPage, ClientError> {
        self.asked_with(AUDIT, query).await
    }

    /// Has the server check a stretch of the audit log that begins behind this entry.
    ///
    /// # Errors
    /// There is no answer, or the server refuses one.
    pub async fn verify_audit(&self, after: &AuditMark) -> Result<AuditVerified, ClientError> {
        self.asked_with(AUDIT_VERIFY, after).await
    }

    async fn asked_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, ClientError> {
        let query = serde_urlencoded::to_string(query).expect("a query is text and numbers");
        let path = format!("{path}?{query}");
        let answer = self.send(Method::GET, &path, Bytes::new()).await?;
        self.understood(answer)
    }
}
