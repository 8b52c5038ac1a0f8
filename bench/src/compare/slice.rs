//! What one slice has shown, and the time that processes have used.

use std::fs;

/// One load on one way, once.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// What was done: transactions, or bytes of a bulk load.
    pub done: f64,
    /// In how many seconds.
    pub seconds: f64,
    /// Processor time of the way's proxies, in seconds.
    pub cpu: f64,
    /// The median and the 99th percentile of what a transaction took, in milliseconds, where it was asked at
    /// a fixed rate.
    pub latency: Option<[f64; 2]>,
}

/// The processor time that these processes have used since they began, in seconds; the kernel counts it in
/// hundredths. Threads that have ended are counted, too.
pub fn processor_time(processes: &[u32]) -> f64 {
    let ticks: u32 = processes.iter().map(|pid| ticks(*pid)).sum();
    f64::from(ticks) / 100.0
}

fn ticks(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    let stat = stat.unwrap_or_else(|error| panic!("process {pid}: {error}"));
    // Of proc(5)'s fields those from the third on; a program's name may contain anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name stands in brackets");
    let fields: Vec<_> = fields.split_ascii_whitespace().collect();
    let [user, system] = [11, 12].map(|field: usize| fields[field].parse::<u32>());
    user.and_then(|user| Ok(user + system?))
        .unwrap_or_else(|error| panic!("{stat}: {error}"))
}

/// The value below which this share of the others is; they are put in order.
pub fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length is an index"
    )]
    let index = (share * values.len() as f64) as usize;
    values
        .get(index.min(values.len().saturating_sub(1)))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_of_the_process() {
        let own = [std::process::id()];
        let before = processor_time(&own);
        let begun = std::time::Instant::now();
        while processor_time(&own) < before + 0.05 {
            assert!(begun.elapsed().as_secs() < 60, "no time is counted");
        }
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        assert_eq!(quantile(&mut [], 0.5), None);
        let mut values = [3.0, 1.0, 2.0];
        assert_eq!(quantile(&mut values, 0.5), Some(2.0));
        assert_eq!(quantile(&mut values, 0.99), Some(3.0));
        assert_eq!(quantile(&mut values, 0.0), Some(1.0));
    }
}
