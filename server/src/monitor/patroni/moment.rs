//! A moment as Patroni writes it, which is as Python does: `2026-11-22 15:59:58.500123+01:00`.

use std::time::{Duration, SystemTime};

/// Reads it; nothing where it is something else, or before 1970.
pub fn parse(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_once([' ', 'T'])?;
    let (time, offset) = rest.split_at_checked(rest.find(['+', '-'])?)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let (is_east, offset) = match offset.strip_prefix('+') {
        Some(offset) => (true, offset),
        None => (false, offset.strip_prefix('-')?),
    };
    let [hours, minutes] = numbers(offset, ':')?;
    let fits = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && hours < 24
        && minutes < 60;
    let seconds = 86_400 * days(year, month, day) + 3600 * hour + 60 * minute + second;
    let offset = 3600 * hours + 60 * minutes;
    let since = match is_east {
        true => seconds - offset,
        false => seconds + offset,
    };
    let since = u64::try_from(since).ok().filter(|_| fits)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since) + below_a_second(fraction)?)
}

/// Numbers of up to four digits, so many of them.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let number = |digits: &str| {
        let fits = (1..=4).contains(&digits.len());
        let fits = fits && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| fits)
    };
    let numbers: Option<Vec<i64>> = text.split(between).map(number).collect();
    numbers?.try_into().ok()
}

/// Digits behind a second's point, as far as milliseconds.
fn below_a_second(digits: &str) -> Option<Duration> {
    let mut millis = 0;
    for place in 0..3 {
        let digit = match digits.as_bytes().get(place) {
            Some(byte) => byte.checked_sub(b'0').filter(|digit| *digit < 10)?,
            None => 0,
        };
        millis = 10 * millis + u64::from(digit);
    }
    Some(Duration::from_millis(millis))
}

/// Days from 1970-01-01 in the Gregorian calendar. A year begins in March here, so that a leap day is its
/// last: then 153 days are five months, whichever they are.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year - 1, month + 9),
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    /// Of the first of March of the year 0.
    const FIRST: i64 = -719_468;
    FIRST + 365 * year + leap_days + (153 * month + 2) / 5 + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        let moment = parse(text)?;
        Some(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap())
    }

    #[test]
    fn moments_are_read_with_their_offset() {
        for (text, millis) in [
            ("1970-01-01 00:00:00+00:00", 0),
            ("2000-02-29 23:59:59.999999+00:00", 951_868_799_999),
            ("2000-03-01T00:00:00+00:00", 951_868_800_000),
            ("2024-12-31 23:59:60.5+00:00", 1_735_689_600_500),
            ("2026-11-22 15:59:58.500+01:00", 1_795_359_598_500),
            ("2026-11-22 09:29:58.05-05:30", 1_795_359_598_050),
            ("2100-03-01 00:00:00+00:00", 4_107_542_400_000),
        ] {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22 15:00:00",
            "2026-11-22 15:00:00 UTC",
            "2026-11-22 15:00+00:00",
            "2026-13-22 15:00:00+00:00",
            "2026-11-32 15:00:00+00:00",
            "2026-11-22 24:00:00+00:00",
            "2026-11-22 15:00:00.x+00:00",
            "2026-11-22 15:00:00+00",
            "2026-11-22 15:00:00+99:00",
            "-026-11-22 15:00:00+00:00",
            "99999-11-22 15:00:00+00:00",
            "1969-12-31 23:59:59+00:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
