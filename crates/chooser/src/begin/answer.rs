//! What the first of an endpoint's answer means for a session that could begin elsewhere.

use wire::error;
use wire::frame::Header;

/// Longest refusal of an endpoint that is waited for whole, in bytes.
const MAX_REFUSAL: usize = 10_000;

/// What an answer is, as far as it has come.
pub(super) enum Judged {
    /// The endpoint has taken the session, or has refused it as any other would.
    Taken,
    /// Another may take it.
    Elsewhere(String),
}

/// Nothing, while it cannot be said.
pub(super) fn judge(answer: &[u8]) -> Option<Judged> {
    if answer.first() != Some(&b'E') {
        return Some(Judged::Taken);
    }
    let header = match Header::parse(answer) {
        Ok(Some(header)) if header.total() <= MAX_REFUSAL => header,
        Ok(None) => return None,
        Ok(Some(_)) | Err(_) => return Some(Judged::Taken),
    };
    let body = answer.get(Header::LEN..header.total())?;
    Some(match error::field(body, error::CODE) {
        Some(code) if error::is_unavailable(code) => {
            Judged::Elsewhere(String::from_utf8_lossy(code).into_owned())
        }
        _ => Judged::Taken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> Vec<u8> {
        let body = [b"SFATAL\0C".as_slice(), code.as_bytes(), b"\0Mno\0\0"].concat();
        let length = u32::try_from(body.len() + 4).unwrap();
        [b"E".as_slice(), &length.to_be_bytes(), &body].concat()
    }

    #[test]
    fn only_a_refusal_that_another_endpoint_may_not_repeat_is_passed_over() {
        for (code, elsewhere) in [("57P03", true), ("08006", true), ("28P01", false)] {
            let refusal = error(code);
            for cut in 1..refusal.len() {
                assert!(judge(&refusal[..cut]).is_none(), "{code} cut at {cut}");
            }
            match judge(&refusal) {
                Some(Judged::Elsewhere(found)) => {
                    assert_eq!((found.as_str(), elsewhere), (code, true))
                }
                Some(Judged::Taken) => assert!(!elsewhere, "{code}"),
                None => panic!("{code} is whole"),
            }
        }
        // Whatever begins otherwise is an answer, and so is what cannot be a refusal.
        assert!(matches!(judge(b"R"), Some(Judged::Taken)));
        let endless = [b"E".as_slice(), &u32::MAX.to_be_bytes()].concat();
        assert!(matches!(judge(&endless), Some(Judged::Taken)));
        let long = [b"E".as_slice(), &(1_u32 << 20).to_be_bytes()].concat();
        assert!(matches!(judge(&long), Some(Judged::Taken)));
    }
}
