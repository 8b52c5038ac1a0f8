//! Databases as metrics: answering or not; what each says of itself only while it does.

use std::sync::Arc;
use std::time::Duration;

use control::{DatabaseRole, DatabaseStanding};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use super::Heard;

/// Reads what is known when metrics are asked for, of each database by its address.
#[derive(Debug)]
pub struct OfDatabases(pub Vec<(String, Arc<Heard>)>);

impl Collector for OfDatabases {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let heard = |(name, heard): &(String, Arc<Heard>)| (name.clone(), heard.standing());
        let known: Vec<_> = self.0.iter().map(heard).collect();
        let answers: Vec<_> = known
            .iter()
            .map(|(name, standing)| (name.clone(), i64::from(standing.is_some())))
            .collect();
        let (name, help) = (
            "database_answers",
            "Whether the database answers the monitor",
        );
        family(&mut encoder, name, help, &answers)?;
        let (name, help) = ("database_primary", "Whether the database is a primary");
        family(
            &mut encoder,
            name,
            help,
            &each(&known, |it| {
                Some(i64::from(it.role == DatabaseRole::Primary))
            }),
        )?;
        let (name, help) = ("database_timeline", "The timeline that the database is on");
        family(
            &mut encoder,
            name,
            help,
            &each(&known, |it| Some(i64::from(it.timeline))),
        )?;
        let name = "database_position_bytes";
        let help = "Where the database is in the write-ahead log: written by a primary, replayed by a replica";
        family(
            &mut encoder,
            name,
            help,
            &each(&known, |it| Some(it.position)),
        )?;
        let name = "database_delay_seconds";
        let help = "How long ago the transaction was committed that the replica replayed last; 0 when it has replayed all it received";
        family(
            &mut encoder,
            name,
            help,
            &each(&known, |it| {
                it.delay_ms
                    .map(|delay| Duration::from_millis(delay).as_secs_f64())
            }),
        )
    }
}

/// A value of each database that has one now.
fn each<N>(
    known: &[(String, Option<DatabaseStanding>)],
    value: impl Fn(&DatabaseStanding) -> Option<N>,
) -> Vec<(String, N)> {
    let of = |(name, standing): &(String, Option<DatabaseStanding>)| {
        Some((name.clone(), value(standing.as_ref()?)?))
    };
    known.iter().filter_map(of).collect()
}

fn family<N: Copy>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &[(String, N)],
) -> Result<(), std::fmt::Error>
where
    ConstGauge<N>: EncodeMetric,
{
    let Some((_, first)) = values.first() else {
        return Ok(());
    };
    let kind = ConstGauge::new(*first).metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (database, value) in values {
        let labels = [("database", database.as_str())];
        ConstGauge::new(*value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
