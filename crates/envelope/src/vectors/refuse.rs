//! `refuse`: bytes that are no envelope, and envelopes that do not open though everybody may.

use serde::Deserialize;

use super::{Hex, Vectors, a_test_for_each};
use crate::{Form, open_field};

#[derive(Deserialize)]
pub(super) struct Vector {
    name: String,
    outcome: Outcome,
    #[serde(flatten)]
    field: Field,
}

#[derive(Deserialize)]
enum Outcome {
    #[serde(rename = "not an envelope")]
    NotAnEnvelope,
    #[serde(rename = "refused")]
    Refused,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Field {
    Envelope(Hex),
    Armored(String),
}

fn is_refused(file: &Vectors, vector: &Vector) {
    let (field, form) = match &vector.field {
        Field::Envelope(Hex(bytes)) => (bytes.as_slice(), Form::Bytes),
        Field::Armored(text) => (text.as_bytes(), Form::Text),
    };
    let edit = open_field(field, form, file.judge("app", |_, _| true));
    assert_eq!(edit.opened, 0);
    assert!(edit.bytes.is_none());
    let refused = match vector.outcome {
        Outcome::NotAnEnvelope => 0,
        Outcome::Refused => 1,
    };
    assert_eq!(edit.refused, refused);
}

mod format {
    use super::*;
    use crate::vectors::FORMAT;

    a_test_for_each! { is_refused, FORMAT.refuse:
        empty magic_only truncated_in_length_19 truncated_after_length_20
        truncated_after_nonce_32 truncated_in_enc_48 truncated_after_enc_64
        truncated_before_tag truncated_last_byte length_zero length_59
        length_beyond_field_by_1 length_2_28_plus_1 length_ffffffff length_little_endian
        magic_first_byte magic_last_byte version_0 version_2 suite_0 suite_2 suite_255
        flags_0001 flags_8000 flags_0001_sealed_so suite_2_sealed_so suite_2_length_40
        suite_2_length_15 key_id_bit key_id_of_another_key
        key_id_of_a_key_of_the_other_kind length_minus_1 length_plus_1
        nonce_of_single_made_nonzero nonce_of_batch_bit nonce_of_batch_zeroed
        nonces_of_two_batch_values_swapped enc_bit enc_top_bit enc_of_the_batch
        ciphertext_bit tag_first_bit tag_last_bit tag_zero wrong_owner wrong_owner_case
        wrong_kind info_owner_without_length info_length_little_endian info_foreign
        info_of_the_draft layout_of_the_draft aad_not_empty batch_key_from_the_draft
        batch_key_plain_nonce single_with_exported_key aes_128_in_suite_1
        chacha_in_suite_1 low_order_enc_zero low_order_enc_one low_order_enc_order_8_a
        low_order_enc_order_8_b low_order_enc_p_minus_1 low_order_enc_p
        low_order_enc_p_plus_1 low_order_enc_zero_with_top_bit armor_padded
        armor_standard_alphabet armor_truncated armor_header_truncated armor_line_break
        armor_upper_case_prefix armor_prefix_pgs2 armor_of_altered_tag armor_unused_bits
    }
}

mod more {
    use super::*;
    use crate::vectors::MORE;

    a_test_for_each! { is_refused, MORE.refuse:
        suite_2_length_16 suite_2_length_2_28_plus_1 suite_2_last_byte_missing
        flags_all_set flags_in_unknown_suite key_of_a_stranger client_id_of_the_other_case
        zone_id_of_the_other_case owner_with_a_nul_more info_kind_in_upper_case
        info_label_of_version_2 info_with_the_length_too batch_label_of_version_2
        batch_aad_not_empty batch_enc_of_another_batch hpke_sequence_number_1
        hpke_mode_psk armor_of_suite_2 armor_of_flags armor_length_beyond_text
        armor_of_version_2 armor_nul_inside armor_letter_beyond_ascii armor_without_dot
        armor_of_something_else
    }
}
