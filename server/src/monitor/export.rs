//! The database as metrics: up or not; what it says of itself only while it does.

use std::sync::Arc;

use control::DatabaseRole;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use super::Heard;

/// Reads what is known when metrics are asked for.
#[derive(Debug)]
pub struct OfDatabase(pub Arc<Heard>);

impl Collector for OfDatabase {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let standing = self.0.standing();
        let up = i64::from(standing.is_some());
        gauge(
            &mut encoder,
            "database_up",
            "Whether the database answers",
            up,
        )?;
        let Some(standing) = standing else {
            return Ok(());
        };
        let primary = i64::from(standing.role == DatabaseRole::Primary);
        let (name, help) = ("database_primary", "Whether the database is a primary");
        gauge(&mut encoder, name, help, primary)?;
        let (name, help) = ("database_timeline", "The timeline that the database is on");
        gauge(&mut encoder, name, help, i64::from(standing.timeline))?;
        let name = "database_position_bytes";
        let help = "Where the database is in the write-ahead log: written by a primary, replayed by a replica";
        gauge(&mut encoder, name, help, standing.position)?;
        if let Some(delay) = standing.delay_ms {
            let name = "database_delay_seconds";
            let help = "How long ago the transaction was committed that the replica replayed last; 0 when it has replayed all it received";
            let delay = std::time::Duration::from_millis(delay).as_secs_f64();
            gauge(&mut encoder, name, help, delay)?;
        }
        Ok(())
    }
}

fn gauge<N>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: N,
) -> Result<(), std::fmt::Error>
where
    ConstGauge<N>: EncodeMetric,
{
    let gauge = ConstGauge::new(value);
    let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(metric)
}
