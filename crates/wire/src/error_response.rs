//! What an ErrorResponse says. Its framing is `frame`'s, errors of our own are `originate`'s.

/// The SQLSTATE in the body of an ErrorResponse (field `C`, "Error and Notice Message Fields");
/// nothing where it has none.
#[must_use]
pub fn sqlstate(body: &[u8]) -> Option<&[u8]> {
    // Each field is a byte and a string that ends with a zero; a zero byte ends them all.
    let mut fields = body.split(|byte| *byte == 0);
    fields.find_map(|field| field.strip_prefix(b"C"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::originate::{Refusal, Severity};

    #[test]
    fn an_error_of_ours_has_its_sqlstate() {
        let refusal = Refusal {
            severity: Severity::Fatal,
            code: "57P03",
            message: "C is no field here",
            hint: None,
        };
        let message = refusal.to_message();
        assert_eq!(sqlstate(&message[5..]), Some(b"57P03".as_slice()));
    }

    #[test]
    fn what_has_no_such_field_has_no_sqlstate() {
        for body in [&b""[..], b"\0", b"SFATAL\0MC\0\0", b"SFATAL"] {
            assert_eq!(sqlstate(body), None, "{}", body.escape_ascii());
        }
    }
}
