//! The counts by owner as metrics, for those who ask for a label for each: there are as many as
//! there are zones in use.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::Access;

/// Reads the counts when metrics are asked for.
#[derive(Debug)]
pub struct ByOwner(pub Arc<Access>);

impl Collector for ByOwner {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let owners = self.0.owners(None);
        let label = |owner: &Option<String>| owner.clone().unwrap_or_else(|| "other".into());

        let opened = ConstCounter::new(0u64);
        let mut family = encoder.encode_descriptor(
            "owner_values_opened",
            "Sealed values opened, by owner",
            None,
            opened.metric_type(),
        )?;
        for owner in &owners {
            let labels = [("owner", label(&owner.owner))];
            ConstCounter::new(owner.opened).encode(family.encode_family(&labels)?)?;
        }

        let mut family = encoder.encode_descriptor(
            "owner_values_refused",
            "Sealed values refused, by owner and reason",
            None,
            MetricType::Counter,
        )?;
        for owner in &owners {
            for (reason, count) in &owner.refused {
                let labels = [("owner", label(&owner.owner)), ("reason", reason.clone())];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
