//! How a cluster is set up: users and their authentication, TLS, lines of `postgresql.conf`.

use crate::ca::Identity;
use crate::cluster::Cluster;
use crate::namespace::Namespace;
use crate::pair::Pair;
use crate::postgres::Release;

/// How a user proves itself to PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    Trust,
    /// By the password in clear.
    Password,
    /// By the password, hashed by MD5.
    Md5,
    /// By the password, in SCRAM-SHA-256.
    ScramSha256,
}

impl Auth {
    fn method(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Password => "password",
            Self::Md5 => "md5",
            Self::ScramSha256 => "scram-sha-256",
        }
    }

    /// How the password is to be stored, so that the method works: md5 cannot use a SCRAM secret.
    fn stored(self) -> &'static str {
        if self == Self::Md5 {
            "md5"
        } else {
            "scram-sha-256"
        }
    }
}

/// What a cluster is to be like. As it comes, the superuser `postgres` needs no password, and there
/// is no TLS.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    users: Vec<User>,
    access: Vec<String>,
    pub(crate) lines: Vec<String>,
    pub(crate) tls: Tls,
    pub(crate) release: Release,
    pub(crate) clock: Option<String>,
    pub(crate) is_of_its_own: bool,
}

/// Whether a cluster offers TLS, and with which certificate.
#[derive(Clone, Debug, Default)]
pub(crate) enum Tls {
    #[default]
    Off,
    /// One for `localhost`, of a CA that nobody knows.
    Localhost,
    /// This one.
    As(Identity),
}

#[derive(Clone, Debug)]
struct User {
    name: String,
    password: String,
    auth: Auth,
}

impl Settings {
    /// The plain settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a superuser who must prove itself so.
    pub fn user(mut self, name: &str, password: &str, auth: Auth) -> Self {
        self.users.push(User {
            name: name.to_owned(),
            password: password.to_owned(),
            auth,
        });
        self
    }

    /// Adds a line to `pg_hba.conf`, before all others, such as
    /// `host ledger all 127.0.0.1/32 reject`.
    pub fn access(mut self, line: &str) -> Self {
        self.access.push(line.to_owned());
        self
    }

    /// Adds a line to `postgresql.conf`; the last of several for one setting counts.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Offers TLS, with a certificate of its own making for `localhost`.
    pub fn tls(mut self) -> Self {
        self.tls = Tls::Localhost;
        self
    }

    /// Offers TLS with this certificate.
    pub fn tls_as(mut self, identity: &Identity) -> Self {
        self.tls = Tls::As(identity.clone());
        self
    }

    /// Runs this PostgreSQL.
    pub fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Its clock is wrong by this much, such as `-1h`.
    pub fn clock(mut self, offset: &str) -> Self {
        self.clock = Some(offset.to_owned());
        self
    }

    /// It is no copy of what all others are copies of: it has a system identifier of its own.
    pub fn of_its_own(mut self) -> Self {
        self.is_of_its_own = true;
        self
    }

    /// Starts one cluster.
    pub fn start_cluster(&self) -> Cluster {
        let mut cluster = Cluster::primary(self);
        cluster.start_again();
        cluster.create_users(self);
        cluster
    }

    /// Starts a primary and a replica.
    pub fn start_pair(&self) -> Pair {
        Pair::start_with(self, None)
    }

    /// Starts a replica that streams from `upstream`, a primary or a replica itself.
    pub fn start_replica(&self, upstream: &Cluster) -> Cluster {
        let mut replica = Cluster::replica(self, upstream, None);
        replica.start_again();
        replica
    }

    /// [`start_pair`](Self::start_pair) with the replica in a network of its own. What is written streams by
    /// the primary's unix socket, so that a replica that is cut off has lost nobody but its clients.
    pub fn start_pair_apart(&self, replica: &Namespace) -> Pair {
        Pair::start_with(self, Some(replica))
    }

    /// Starts a replica of `primary` in a network of its own; the same holds of it.
    pub fn start_replica_apart(&self, primary: &Cluster, namespace: &Namespace) -> Cluster {
        let mut replica = Cluster::replica(self, primary, Some(namespace));
        replica.start_again();
        replica.wait_for_replay(&primary.wal_end());
        replica
    }

    /// The whole `pg_hba.conf`.
    pub(crate) fn pg_hba(&self) -> String {
        let mut lines = self.access.clone();
        for User { name, auth, .. } in &self.users {
            let method = auth.method();
            lines.push(format!("local all {name} {method}"));
            lines.push(format!("host all {name} 127.0.0.1/32 {method}"));
        }
        lines.push("local all all trust".to_owned());
        lines.push("host all all 127.0.0.1/32 trust".to_owned());
        // Hosts of a network of their own.
        lines.push("host all all 198.18.0.0/15 trust".to_owned());
        lines.push("local replication all trust".to_owned());
        lines.join("\n") + "\n"
    }

    /// The statement that makes the users, none if there are none.
    pub(crate) fn create_users(&self) -> Option<String> {
        let create = |User {
                          name,
                          password,
                          auth,
                      }: &User| {
            format!(
                "set password_encryption = '{}'; create role {name} superuser login password '{}';",
                auth.stored(),
                password.replace('\'', "''")
            )
        };
        (!self.users.is_empty()).then(|| self.users.iter().map(create).collect())
    }
}
