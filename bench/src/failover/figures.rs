//! What was measured, as a table and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::stand::{Fault, Path};

/// One fault on one way, each time.
pub struct Row {
    /// What was lost.
    pub lost: &'static str,
    /// What befell it.
    pub fault: Fault,
    /// How applications came to it.
    pub path: Path,
    /// What was met.
    pub rounds: Vec<Lost>,
}

/// What was met when it was lost once. Times are from the fault on.
pub struct Lost {
    /// How many connects began after it, or were under way.
    pub connects: usize,
    /// How many of these failed.
    pub failed: usize,
    /// How long the longest of them took, failed or not.
    pub longest: Duration,
    /// When the last one failed.
    pub failed_until: Option<Duration>,
    /// When a session on it ended, if it did.
    pub session_ended: Option<Duration>,
}

/// A line for each row: the median of its rounds, and the extremes.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| lost | fault | way | connects | failed | longest connect, s | failed until, s | session ended after, s |\n\
         |---|---|---|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let of = |measured: fn(&Lost) -> Option<f64>, digits| {
            spread(row.rounds.iter().map(measured).collect(), digits)
        };
        let line = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row.lost,
            row.fault,
            row.path,
            of(|lost| count(lost.connects), 0),
            of(|lost| count(lost.failed), 0),
            of(|lost| Some(lost.longest.as_secs_f64()), 2),
            of(|lost| lost.failed_until.map(|it| it.as_secs_f64()), 2),
            of(|lost| lost.session_ended.map(|it| it.as_secs_f64()), 2),
        );
        writeln!(text, "{line}").expect("a text takes every line");
    }
    text
}

/// All rounds of all rows; times in seconds, `null` for what did not come.
pub fn json(rows: &[Row]) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let lost = |lost: &Lost| {
        json!({
            "connects": lost.connects,
            "failed": lost.failed,
            "longest_connect": lost.longest.as_secs_f64(),
            "failed_until": seconds(lost.failed_until),
            "session_ended_after": seconds(lost.session_ended),
        })
    };
    let row = |row: &Row| {
        json!({
            "lost": row.lost,
            "fault": row.fault.to_string(),
            "way": row.path.to_string(),
            "rounds": row.rounds.iter().map(lost).collect::<Vec<_>>(),
        })
    };
    rows.iter().map(row).collect()
}

fn count(number: usize) -> Option<f64> {
    u32::try_from(number).ok().map(f64::from)
}

/// `median [least–most]` of those that came, and of how many rounds it did not.
fn spread(measured: Vec<Option<f64>>, digits: usize) -> String {
    let all = measured.len();
    let mut came: Vec<_> = measured.into_iter().flatten().collect();
    came.sort_by(f64::total_cmp);
    let never = all - came.len();
    let (Some(least), Some(most), Some(median)) =
        (came.first(), came.last(), came.get(came.len() / 2))
    else {
        return "never".to_owned();
    };
    let text = format!("{median:.digits$} [{least:.digits$}–{most:.digits$}]");
    match never {
        0 => text,
        _ => format!("{text} ({never} of {all} never)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_come_is_told_and_not_averaged() {
        assert_eq!(spread(vec![None, None], 1), "never");
        let some = vec![Some(3.0), None, Some(1.0), Some(2.0)];
        assert_eq!(spread(some, 1), "2.0 [1.0–3.0] (1 of 4 never)");
    }
}
