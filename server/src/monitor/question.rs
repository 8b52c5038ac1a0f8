//! The one question to a database that is watched, and what its answer says.

use std::time::Instant;

use control::{DatabaseRole, DatabaseStanding, Lineage};
use wire::row::Fields;

use super::problem::Problem;

/// A row of what [`Answer::parse`] reads.
///
/// - A function of a role fails on the other, so which it is is asked once for the whole row.
/// - A primary's timeline stands in the name of the file that it writes; its control file has it only after
///   the checkpoint that follows a promotion. A replica has it from whom it receives (which is told only to
///   members of `pg_read_all_stats`), or as of its last checkpoint.
/// - A replica that has replayed all that was streamed to it is not late, however long ago that was.
/// - Of one that is behind and has replayed no commit since it was started nobody knows how late it is;
///   `greatest` would make 0 of that.
/// - A commit that the replica's own clock puts into the future says that two clocks differ, and by how much
///   more nobody knows; a second is what clocks that are kept in step may differ by.
/// - That a replica receives is told to everybody; on which timeline, and where its primary is by its last
///   word, to members of `pg_read_all_stats` alone.
pub const QUESTION: &str = "\
select replica, \
case when replica then greatest(\
(select timeline_id from pg_control_checkpoint()), \
(select min_recovery_end_timeline from pg_control_recovery()), \
(select received_tli from pg_stat_wal_receiver)) \
else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint end, \
case when replica then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end - '0/0', \
case when not replica then null \
when pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() then 0 \
when pg_last_xact_replay_timestamp() > clock_timestamp() + interval '1 second' then null \
when pg_last_xact_replay_timestamp() is null then null \
else greatest(0, extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint end, \
current_setting('server_version_num'), \
case when replica then pg_last_wal_receive_lsn() - '0/0' end, \
case when replica then pg_is_wal_replay_paused() end, \
case when replica then exists (select from pg_stat_wal_receiver) end, \
case when replica then (select latest_end_lsn from pg_stat_wal_receiver) - '0/0' end, \
(select system_identifier from pg_control_system()), \
(extract(epoch from date_trunc('milliseconds', pg_postmaster_start_time())) * 1000)::bigint, \
case when replica then (select received_tli from pg_stat_wal_receiver) end \
from (select pg_is_in_recovery() as replica offset 0) as role";

/// What a database said of itself, or Patroni of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What others are told.
    pub standing: DatabaseStanding,
    /// Its version as a number, such as 150013 (`server_version_num`).
    pub version: u32,
    /// Of a replica: how it gets on with what its primary writes.
    pub following: Option<Following>,
}

/// How a replica gets on. Positions are numbers of bytes in the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Following {
    /// Up to where it has received; absent if nothing was streamed to it since it was started.
    pub received: Option<u64>,
    /// Whether somebody has stopped the replay.
    pub paused: bool,
    /// Whether it is connected to whom it receives from; absent where that is not told.
    pub receives: Option<bool>,
    /// Where that one was by its last word; absent without a connection, and for a user who is not told.
    pub primary: Option<u64>,
}

impl Answer {
    /// What the row of [`QUESTION`] says.
    ///
    /// # Errors
    /// It is not as it should be.
    pub fn parse(row: &[u8]) -> Result<Self, Problem> {
        let fields: Vec<_> = Fields::parse(row)?.iter().collect();
        let [
            Some(replica),
            Some(timeline),
            Some(position),
            delay,
            Some(version),
            received,
            paused,
            receives,
            primary,
            Some(system),
            Some(started),
            timeline_received,
        ] = *fields.as_slice()
        else {
            return Err(Problem::Garbled);
        };
        let is_replica = boolean(replica)?;
        let following = match (is_replica, paused, receives) {
            (true, Some(paused), Some(receives)) => Some(Following {
                received: received.map(number).transpose()?,
                paused: boolean(paused)?,
                receives: Some(boolean(receives)?),
                primary: primary.map(number).transpose()?,
            }),
            (false, None, None) => None,
            _ => return Err(Problem::Garbled),
        };
        Ok(Self {
            standing: DatabaseStanding {
                role: match is_replica {
                    true => DatabaseRole::Replica,
                    false => DatabaseRole::Primary,
                },
                timeline: number(timeline)?,
                position: number(position)?,
                delay_ms: delay.map(number).transpose()?,
                lineage: Lineage {
                    // The database shows a number without a sign as one that has a sign.
                    system: Some(number::<i64>(system)?.cast_unsigned()),
                    started_ms: Some(number(started)?),
                    receives: timeline_received.map(number).transpose()?,
                },
            },
            version: number(version)?,
            following,
        })
    }
}

impl Answer {
    /// The same, after what was said before: a replica that receives nothing, or does not tell, has replayed
    /// all that it knows of, and that may be little. It is as late as long ago it was last seen to receive
    /// and to be up to date.
    #[must_use]
    pub fn following(mut self, up_to_date: &mut Option<Instant>, now: Instant) -> Self {
        match self.following {
            Some(following) if self.standing.delay_ms == Some(0) => {
                if following.receives == Some(true) {
                    *up_to_date = Some(now);
                } else {
                    let ago = up_to_date.map(|then| now.duration_since(then).as_millis());
                    self.standing.delay_ms = ago.and_then(|ago| u64::try_from(ago).ok());
                }
            }
            Some(_) => {}
            None => *up_to_date = None,
        }
        self
    }
}

fn boolean(text: &[u8]) -> Result<bool, Problem> {
    match text {
        b"t" => Ok(true),
        b"f" => Ok(false),
        _ => Err(Problem::Garbled),
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T, Problem> {
    let text = str::from_utf8(text).map_err(|_| Problem::Garbled)?;
    text.parse().map_err(|_| Problem::Garbled)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::BytesMut;
    use wire::Header;

    use super::*;

    const PRIMARY: [Option<&str>; 12] = [
        Some("f"),
        Some("1"),
        Some("18446744073709551615"),
        None,
        Some("150013"),
        None,
        None,
        None,
        None,
        Some("7300000000000000001"),
        Some("1795359600123"),
        None,
    ];

    const REPLICA: [Option<&str>; 12] = [
        Some("t"),
        Some("4294967295"),
        Some("7"),
        Some("12"),
        Some("180000"),
        Some("8"),
        Some("f"),
        Some("t"),
        Some("9"),
        Some("-1"),
        Some("0"),
        Some("3"),
    ];

    fn parse(fields: &[Option<&str>]) -> Result<Answer, Problem> {
        let mut out = BytesMut::new();
        let count = u16::try_from(fields.len()).unwrap();
        let mut row = wire::row::RowWriter::begin(&mut out, count);
        for field in fields {
            row.field(field.map(str::as_bytes)).unwrap();
        }
        row.finish().unwrap();
        Answer::parse(&out.split_off(Header::LEN))
    }

    /// A row in which one field is another.
    fn with<'a>(
        mut row: [Option<&'a str>; 12],
        field: usize,
        value: Option<&'a str>,
    ) -> Result<Answer, Problem> {
        row[field] = value;
        parse(&row)
    }

    #[test]
    fn a_row_of_a_replica_says_how_it_stands_and_follows() {
        let standing = DatabaseStanding {
            role: DatabaseRole::Replica,
            timeline: u32::MAX,
            position: 7,
            delay_ms: Some(12),
            lineage: Lineage {
                system: Some(u64::MAX),
                started_ms: Some(0),
                receives: Some(3),
            },
        };
        let following = Following {
            received: Some(8),
            paused: false,
            receives: Some(true),
            primary: Some(9),
        };
        let whole = Answer {
            standing,
            version: 180_000,
            following: Some(following),
        };
        assert_eq!(parse(&REPLICA).unwrap(), whole);
        // Nothing was ever streamed, or may not be told.
        for (field, less) in [
            (
                5,
                Following {
                    received: None,
                    ..following
                },
            ),
            (
                8,
                Following {
                    primary: None,
                    ..following
                },
            ),
        ] {
            let answer = with(REPLICA, field, None).unwrap();
            assert_eq!(answer.following, Some(less), "{field}");
        }
    }

    #[test]
    fn a_row_of_a_primary_says_how_it_stands() {
        let primary = parse(&PRIMARY).unwrap();
        assert_eq!(primary.standing.role, DatabaseRole::Primary);
        assert_eq!(primary.standing.position, u64::MAX);
        assert_eq!(primary.standing.delay_ms, None);
        let lineage = Lineage {
            system: Some(7_300_000_000_000_000_001),
            started_ms: Some(1_795_359_600_123),
            receives: None,
        };
        assert_eq!(primary.standing.lineage, lineage);
        assert_eq!((primary.version, primary.following), (150_013, None));
    }

    #[test]
    fn a_row_that_says_something_else_is_garbled() {
        for (field, value) in [
            (0, None),
            (0, Some("x")),
            // A replica's row says how it follows, a primary's does not.
            (0, Some("f")),
            (1, None),
            (1, Some("-1")),
            (1, Some("4294967296")),
            (2, Some("")),
            (2, Some("18446744073709551616")),
            (3, Some("1.5")),
            (4, None),
            (4, Some("15.13")),
            (5, Some("0/8")),
            (6, None),
            (6, Some("")),
            (7, Some("yes")),
            (8, Some("-9")),
            (9, None),
            (9, Some("9223372036854775808")),
            (10, None),
            (10, Some("1.5")),
            (11, Some("4294967296")),
        ] {
            let answer = with(REPLICA, field, value);
            assert!(
                matches!(answer, Err(Problem::Garbled)),
                "{field}: {value:?}"
            );
        }
        for row in [&REPLICA[..11], &[&REPLICA[..], &[None]].concat(), &[]] {
            assert!(matches!(parse(row), Err(Problem::Garbled)), "{row:?}");
        }
    }

    #[test]
    fn a_replica_that_receives_nothing_is_as_late_as_long_ago_it_was_up_to_date() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let said = |receives, delay_ms| {
            let mut answer = parse(&REPLICA).unwrap();
            answer.standing.delay_ms = delay_ms;
            answer.following = answer.following.map(|it| Following { receives, ..it });
            answer
        };
        let mut up_to_date = None;
        for (second, receives, delay, late) in [
            // Of one that was never seen to receive nobody knows.
            (0, Some(false), Some(0), None),
            (1, Some(true), Some(5), Some(5)),
            (2, Some(false), Some(0), None),
            (3, Some(true), Some(0), Some(0)),
            (4, Some(true), Some(7), Some(7)),
            (5, Some(false), Some(0), Some(2000)),
            (9, None, Some(0), Some(6000)),
            (10, Some(false), None, None),
            (11, Some(true), Some(0), Some(0)),
        ] {
            let answer = said(receives, delay).following(&mut up_to_date, at(second));
            assert_eq!(answer.standing.delay_ms, late, "in second {second}");
        }
    }
}
