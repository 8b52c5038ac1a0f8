//! How far behind a replica may be, as a check says it: `?lag=16MB`.

/// Units and their powers of 2: PostgreSQL's, which Patroni takes, and this program's own. The longer of
/// two that end alike comes first.
const UNITS: [(&str, u32); 8] = [
    ("KiB", 10),
    ("MiB", 20),
    ("GiB", 30),
    ("kB", 10),
    ("MB", 20),
    ("GB", 30),
    ("TB", 40),
    ("B", 0),
];

/// The most bytes that a query allows, if it says how many.
///
/// # Errors
/// In a line: what in it cannot be understood.
pub fn most(query: Option<&str>) -> Result<Option<u64>, String> {
    let mut most = None;
    let parameters = query.unwrap_or_default().split('&');
    for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name != "lag" {
            return Err(format!(
                "unknown parameter `{name}`: there is lag, like lag=16MB"
            ));
        }
        let wrong = || format!("lag: `{value}` is no size; write it like 1048576, 16MB or 16MiB");
        let bytes = bytes(value).ok_or_else(wrong)?;
        if most.replace(bytes).is_some() {
            return Err("lag: it is said twice".to_owned());
        }
    }
    Ok(most)
}

fn bytes(text: &str) -> Option<u64> {
    let with_unit = |(unit, power): &(&str, u32)| Some((text.strip_suffix(unit)?, *power));
    let (digits, power) = UNITS.iter().find_map(with_unit).unwrap_or((text, 0));
    // A sign would be a number to the parser.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    number.checked_mul(1 << power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_read_in_bytes_or_units_of_powers_of_1024() {
        for (query, bytes) in [
            ("lag=1048576", 1 << 20),
            ("lag=0", 0),
            ("lag=7B", 7),
            ("lag=1024kB", 1 << 20),
            ("lag=16MB", 16 << 20),
            ("lag=16MiB", 16 << 20),
            ("lag=1KiB", 1 << 10),
            ("lag=1GB", 1 << 30),
            ("lag=1GiB", 1 << 30),
            ("&lag=2TB&", 2 << 40),
            ("lag=18446744073709551615", u64::MAX),
        ] {
            assert_eq!(most(Some(query)), Ok(Some(bytes)), "{query}");
        }
        assert_eq!(most(None), Ok(None));
        assert_eq!(most(Some("")), Ok(None));
    }

    #[test]
    fn what_is_no_lag_is_refused_in_a_line_and_not_passed_over() {
        for value in [
            "",
            "MB",
            "-1",
            "+1",
            "1.5MB",
            "16 MB",
            "16%20MB",
            "16mb",
            "16KB",
            "1PB",
            "18446744073709551616",
            "16777216TB",
        ] {
            let error = most(Some(&format!("lag={value}"))).unwrap_err();
            assert!(
                error.contains("is no size; write it like"),
                "{value}: {error}"
            );
        }
        assert!(most(Some("lag")).is_err());
        assert!(most(Some("lag=1&lag=2")).unwrap_err().contains("twice"));
        for query in ["replication_state=streaming", "lag=1&tag_a=b", "LAG=1"] {
            let error = most(Some(query)).unwrap_err();
            assert!(error.starts_with("unknown parameter `"), "{query}: {error}");
        }
    }
}
