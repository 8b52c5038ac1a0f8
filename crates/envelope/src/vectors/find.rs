//! `find`: one field in, one field out, as client `app` sees it where refused envelopes stay.

use serde::Deserialize;
use serde_json::Value;

use super::{Hex, Vectors, a_test_for_each};
use crate::{Form, Verdict, open_field};

#[derive(Deserialize)]
pub(super) struct Vector {
    name: String,
    form: String,
    tags_in_earlier_fields: Vec<String>,
    field: Value,
    envelopes: Vec<String>,
    field_after: Value,
}

fn becomes(file: &Vectors, vector: &Vector) {
    let form = match vector.form.as_str() {
        "bytes" => Form::Bytes,
        "text" => Form::Text,
        other => panic!("form {other:?}"),
    };
    let [before, after] = [&vector.field, &vector.field_after].map(|field| bytes(form, field));
    let mut judge = file.judge("app", |zone, candidate| {
        candidate.tagged_in_field(zone)
            || vector
                .tags_in_earlier_fields
                .iter()
                .any(|tag| tag == zone.as_str())
    });
    let mut judged = Vec::new();
    let edit = open_field(&before, form, |candidate| {
        let verdict = judge(candidate);
        judged.push(matches!(verdict, Verdict::Opened { .. }));
        verdict
    });

    let outcomes: Vec<&str> = vector.envelopes.iter().map(String::as_str).collect();
    assert_eq!(judged.len(), outcomes.len());
    let opened = outcomes
        .iter()
        .filter(|outcome| **outcome == "opened")
        .count();
    assert_eq!(
        (edit.opened, edit.refused),
        (opened, outcomes.len() - opened)
    );
    assert_eq!(
        judged,
        outcomes
            .iter()
            .map(|outcome| *outcome == "opened")
            .collect::<Vec<_>>()
    );
    assert_eq!(edit.bytes.is_some(), opened > 0);
    assert_eq!(edit.bytes.as_deref().unwrap_or(&before), &after);
}

/// A field as the file writes it: hexadecimal for bytes, itself for text.
fn bytes(form: Form, field: &Value) -> Vec<u8> {
    match form {
        Form::Bytes => Hex::deserialize(field).unwrap().0,
        Form::Text => field.as_str().unwrap().into(),
    }
}

mod format {
    use super::*;
    use crate::vectors::FORMAT;

    a_test_for_each! { becomes, FORMAT.find:
        whole_field before_and_after_are_kept two_touching no_envelope_magic_in_text
        false_magic_then_a_real_one refused_then_opened unknown_key
        opened_plaintext_is_not_searched refused_envelope_is_not_searched
        zone_tag_in_earlier_field zone_without_tag zone_with_another_tag
        in_field_tag_is_removed in_field_tag_removed_though_column_tag_present
        in_field_tag_without_brackets in_field_tag_with_longer_id
        in_field_tag_not_adjacent in_field_tag_kept_when_refused
        tag_inside_an_opened_value_does_not_count armor_whole
        armor_followed_directly_by_text armor_two_touching armor_zone_in_field_tag
        armor_of_bytes_that_are_no_text
    }
}

mod more {
    use super::*;
    use crate::vectors::MORE;

    a_test_for_each! { becomes, MORE.find:
        values_of_two_batches_mixed single_and_batch_mixed
        empty_plaintext_leaves_its_surroundings empty_plaintext_leaves_an_empty_field
        value_of_another_client magic_byte_twice false_start_longer_than_the_field
        false_start_of_another_version truncated_then_whole whole_then_truncated
        unknown_suite_between opened_value_completes_an_envelope_with_what_follows
        opened_value_completes_a_tag_for_what_follows tag_at_field_start
        tag_in_two_brackets tag_after_an_open_bracket two_tags_the_nearer_is_its_own
        two_tags_the_farther_is_its_own tag_twice
        tag_of_another_zone_in_field_its_own_in_a_column tag_of_the_other_case
        tag_in_upper_case tag_before_a_client_sealed_value
        tag_serves_only_the_envelope_after_it tag_at_the_end_of_the_envelope_before
        tag_reaching_into_the_envelope_before tag_kept_while_another_opens
        armor_in_bytes_is_not_looked_for armor_in_json armor_after_a_false_start
        armor_after_a_cut_one armor_of_a_batch armor_of_empty_plaintext
        armor_of_suite_2_before_an_own_one armor_of_nul armor_of_no_text_keeps_its_tag
        armor_of_half_a_character armor_whose_plaintext_is_armor
        armor_zone_tag_in_earlier_field
    }
}
