//! The databases that this server stands before: one, or several of which each session gets the one that
//! its listener is for. Who is up and who serves best is `chooser`'s; reaching one is `database`'s, and
//! watching it `monitor`'s.

mod listed;
mod nodes;

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use balancer::Target;
use chooser::{Beginner, Chooser, Chosen, State, Ways};
use control::{DatabaseRole, DatabaseStanding, Standing};
use tracing::Instrument;

use crate::config::{self, Config};
use crate::database::{Database, DatabaseError, Stream, Tls};
use crate::metrics::Metrics;
use crate::monitor::{self, Answer, Monitor};
use crate::session::{Ended, Session};
use crate::shared::Shared;

pub use listed::Listed;
pub use nodes::{Node, Nodes};

/// All of them.
pub struct Databases {
    nodes: Nodes,
    ways: Ways<Nodes>,
}

impl Databases {
    /// Those of the configuration; nobody is asked anything yet.
    ///
    /// # Errors
    /// In a line: what is wrong with it.
    pub fn new(config: &Config, metrics: &mut Metrics) -> Result<Self, String> {
        let listed = config.databases()?;
        let node = |listed: &Listed| {
            let database = Database::new(&config.database, &listed.address, config.tuning())?;
            let monitor = Monitor::new(config, listed.patroni.as_ref())?;
            Ok(Arc::new(Node { database, monitor }))
        };
        let list = listed
            .iter()
            .map(node)
            .collect::<Result<Vec<_>, String>>()?;
        let listeners: Vec<_> = config
            .listen
            .0
            .iter()
            .map(|bind| config.balance.listener(&bind.needs))
            .collect();
        let is_any = listeners.iter().all(|it| it.choice.target == Target::Any);
        let nodes = Nodes::new(list);
        metrics.add_databases(nodes.list());
        let ways = match nodes.list() {
            [one] if config.databases.is_empty() && is_any => {
                Ways::One(one.database.address().to_string().into())
            }
            list => {
                if list.iter().any(|node| node.monitor.is_none()) {
                    return Err(
                        "`database.monitor.user` is not set, as whom the server finds out which \
                         database is primary; set it, or patroni=URL behind each of databases; or \
                         leave databases and target= out"
                            .to_owned(),
                    );
                }
                let endpoints: Vec<_> = listed
                    .iter()
                    .map(|it| it.endpoint(config.balance.max_connections))
                    .collect();
                let checks = balancer::Checks::from(&config.checks);
                let counts = metrics.count_databases();
                let chooser = Chooser::new(nodes.clone(), counts, checks, &listeners, &endpoints);
                Ways::Several(chooser.map_err(|error| format!("databases: {error}"))?)
            }
        };
        Ok(Self { nodes, ways })
    }

    /// Begins to watch them, where they are to be watched.
    pub fn start(&self, shared: &Arc<Shared>) {
        if let Some(chooser) = self.ways.chooser() {
            tokio::spawn(chooser.clone().run());
        }
        for node in self.nodes.list() {
            let watching = monitor::watch(node.clone(), shared.clone());
            match self.ways {
                Ways::One(_) => tokio::spawn(watching),
                Ways::Several(_) => {
                    let address = node.database.address();
                    let span = tracing::info_span!("monitor", database = %address);
                    tokio::spawn(watching.instrument(span))
                }
            };
        }
    }

    /// The ways that sessions can go.
    #[must_use]
    pub fn ways(&self) -> &Ways<Nodes> {
        &self.ways
    }

    /// All of them, in the configuration's order: one at least.
    #[must_use]
    pub fn list(&self) -> &[Arc<Node>] {
        self.nodes.list()
    }

    /// The one of this name, which is its address.
    #[must_use]
    pub fn at(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.at(name)
    }

    /// What one of them has said, or why it said nothing, goes to whoever chooses.
    pub fn heard(&self, node: &Node, why: &str) {
        let (Some(chooser), Some(monitor)) = (self.ways.chooser(), &node.monitor) else {
            return;
        };
        let name = node.database.address().to_string();
        match monitor.heard().standing() {
            Some(database) => chooser.heard(&name, Some(&says(Some(database)))),
            None => chooser.fell_silent(&name, why),
        }
    }

    /// How the best of the databases stands that sessions of this listener get, the first being 0: nothing
    /// where they are not watched, and then again nothing where there is none for them.
    #[must_use]
    pub fn standing(&self, listener: usize) -> Option<Option<DatabaseStanding>> {
        let Some(chooser) = self.ways.chooser() else {
            let monitor = self.list().first()?.monitor.as_ref()?;
            return Some(monitor.heard().standing());
        };
        let serving = chooser.served_by(listener);
        let serving = serving.iter().filter_map(|name| self.at(name)?.standing());
        Some(serving.max_by_key(rank))
    }

    /// What those that sessions get said last, and when, the best first: nothing where they are not
    /// watched, and nobody's word while none answers.
    #[must_use]
    pub fn said(&self) -> Option<Vec<(Answer, Instant)>> {
        let heard = |node: &Arc<Node>| node.monitor.as_ref()?.heard().answer();
        let mut said: Vec<_> = match self.ways.chooser() {
            Some(chooser) => self.usable(chooser).filter_map(heard).collect(),
            None => {
                let node = self.list().first()?;
                node.monitor.as_ref()?;
                heard(node).into_iter().collect()
            }
        };
        said.sort_by_key(|(answer, _)| Reverse(rank(&answer.standing)));
        Some(said)
    }

    /// Those that get sessions, if it is for their role.
    fn usable<'a>(&'a self, chooser: &Chooser<Nodes>) -> impl Iterator<Item = &'a Arc<Node>> {
        let usable = chooser.endpoints().into_iter();
        let usable = usable.filter(|it| it.state == State::Up && !it.distrusted);
        usable.filter_map(|it| self.at(&it.name))
    }

    /// Whether one of them answers.
    pub async fn answers(&self) -> bool {
        match (&self.ways, self.list()) {
            (Ways::One(_), [node, ..]) => match &node.monitor {
                Some(monitor) => monitor.heard().standing().is_some(),
                None => node.database.answers().await,
            },
            _ => self.list().iter().any(|node| node.standing().is_some()),
        }
    }

    /// What TLS to each is to be like under another configuration: its files are read. The addresses
    /// stay.
    ///
    /// # Errors
    /// In a line: why it cannot be set up.
    pub fn prepare(&self, config: &config::Database) -> Result<Vec<Option<Tls>>, String> {
        let prepare = |node: &Arc<Node>| node.database.prepare(config);
        self.list().iter().map(prepare).collect()
    }

    /// From now on new connections are made so.
    pub fn apply(&self, tls: Vec<Option<Tls>>) {
        for (node, tls) in self.list().iter().zip(tls) {
            node.database.apply(tls);
        }
    }
}

/// Their addresses, for the log and for operators.
impl std::fmt::Display for Databases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses = self
            .list()
            .iter()
            .map(|it| it.database.address().to_string());
        f.write_str(&addresses.collect::<Vec<_>>().join(", "))
    }
}

/// A primary before replicas, and who has come furthest.
fn rank(standing: &DatabaseStanding) -> (bool, u32, u64) {
    let is_primary = standing.role == DatabaseRole::Primary;
    (is_primary, standing.timeline, standing.position)
}

/// What a database says of itself, as a server would.
fn says(database: Option<DatabaseStanding>) -> Standing {
    Standing {
        database,
        ..Standing::default()
    }
}

/// Begins a session on a database.
pub struct Beginning<'a>(pub &'a Session);

impl Beginner<Nodes> for Beginning<'_> {
    type Stream = Box<dyn Stream>;
    type Peer = ();
    type Error = DatabaseError;
    type Ending = Ended;

    async fn connect(
        &self,
        chosen: &Chosen<Nodes>,
        _fresh: bool,
    ) -> Result<(Self::Stream, ()), DatabaseError> {
        // The list does not change while the program runs.
        let node = self.0.shared.databases.at(chosen.name());
        let node = node.expect("what is chosen is listed");
        Ok((node.database.connect().await?, ()))
    }

    fn was_kept(&self, _peer: &()) -> bool {
        false
    }

    async fn must_end(&self, _peer: Option<&()>) -> Ended {
        self.0.must_end(None).await
    }

    fn answer_timeout(&self) -> Duration {
        self.0.shared.answer_timeout
    }
}
