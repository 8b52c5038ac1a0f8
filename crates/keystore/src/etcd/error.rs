//! What can go wrong between a store and etcd, each in one line for the operator.

use std::path::PathBuf;

/// A failure of etcd, or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// No endpoint did what it was asked; nothing was changed.
    #[error("etcd does not answer: {0}")]
    Unreachable(String),
    /// A change was sent, and no answer came.
    #[error(
        "etcd was asked for a change and did not say whether it was made ({0}); look before it is repeated"
    )]
    Unheard(String),
    /// Who asks is not who etcd knows.
    #[error(
        "etcd refuses the login of user '{user}': {what}; check etcd.user and the password file"
    )]
    Login {
        /// The user that was given.
        user: String,
        /// etcd's words.
        what: String,
    },
    /// etcd asks for a user, and none is given.
    #[error(
        "etcd asks who is asking; give a user and its password (etcd.user, etcd.password_file)"
    )]
    NoLogin,
    /// A user is given, and etcd lets everybody in.
    #[error(
        "a user is given (etcd.user), but etcd has authentication switched off; switch it on with `etcdctl auth enable`"
    )]
    NoAuthentication,
    /// etcd's gateway takes no certificate with a common name where it has users too: it could be
    /// taken for a user's.
    #[error(
        "etcd has users, so its gateway takes client certificates only without a common name (CN); make one with `openssl req -subj /`, and give a user (etcd.user)"
    )]
    NamedCertificate,
    /// The user may not do this.
    #[error("etcd refuses {what} (permission denied); {remedy}")]
    Denied {
        /// What was asked for.
        what: &'static str,
        /// What the operator can do about it.
        remedy: &'static str,
    },
    /// The NOSPACE alarm is on.
    #[error(
        "etcd is full and takes no writes (alarm NOSPACE); compact and defragment it, or raise its quota, then `etcdctl alarm disarm`"
    )]
    NoSpace,
    /// A change that is larger than etcd takes.
    #[error(
        "a change is larger than etcd takes; raise its --max-request-bytes, which is 1.5 MiB by default"
    )]
    TooLarge,
    /// An endpoint answers for another cluster than the others do.
    #[error(
        "{0} belongs to another etcd cluster than was asked before; check the endpoints, or restart the program"
    )]
    OtherCluster(String),
    /// The revision that was being read is gone.
    #[error("etcd was compacted while its store was read; try again")]
    Compacted,
    /// Members still hold what was to be purged.
    #[error(
        "these members of etcd may still hold removed values: {0}; run it again when they answer"
    )]
    MembersMissed(String),
    /// Anything else that etcd says.
    #[error("etcd says: {0}")]
    Said(String),

    /// Settings that do not go together.
    #[error("{0}")]
    Settings(&'static str),
    /// A file with a certificate or key that cannot be used.
    #[error("{path}: {what}")]
    Material {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}
