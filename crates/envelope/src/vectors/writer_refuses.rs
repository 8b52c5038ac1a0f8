//! `writer_refuses`: owners and public keys that nothing is sealed to.

use serde::Deserialize;

use super::{Hex, Vectors, a_test_for_each, kind};
use crate::{Kind, Owner, PublicKey};

#[derive(Deserialize)]
pub(super) struct Vector {
    name: String,
    #[serde(deserialize_with = "kind")]
    kind: Kind,
    owner: String,
    public_key: Hex,
}

fn is_no_recipient(_: &Vectors, vector: &Vector) {
    let owner = Owner::new(vector.kind, &vector.owner);
    let public_key = PublicKey::try_from(vector.public_key.0.as_slice());
    if vector.name.starts_with("public_key") {
        assert!(owner.is_ok());
        assert!(public_key.is_err());
    } else {
        assert!(owner.is_err());
        assert!(public_key.is_ok());
    }
}

mod format {
    use super::*;
    use crate::vectors::FORMAT;

    a_test_for_each! { is_no_recipient, FORMAT.writer_refuses:
        owner_empty owner_unicode owner_space owner_slash owner_too_long owner_line_break
        zone_too_short zone_digits_only zone_too_long zone_bracket public_key_short
        public_key_top_bit public_key_over_p public_key_low_order
    }
}

mod more {
    use super::*;
    use crate::vectors::MORE;

    a_test_for_each! { is_no_recipient, MORE.writer_refuses:
        owner_nul owner_comma owner_percent owner_bracket zone_at zone_empty
        zone_unicode_letter zone_digits_and_marks_only public_key_empty public_key_long
        public_key_zero public_key_one public_key_p_minus_1 public_key_order_8_b
        public_key_p public_key_2_255_minus_1
    }
}
