//! `bytea` in text: what decodes is written as it was, and what was written decodes.

use wire::bytea::TextForm;

/// The bytes are a text; and, in another reading, a value.
pub fn run(bytes: &[u8]) {
    let form = TextForm::of(bytes);
    assert_eq!(form == TextForm::Hex, bytes.starts_with(b"\\x"));
    for form in [TextForm::Hex, TextForm::Escape] {
        assert_eq!(form.is_form_of(bytes), form.decode(bytes).is_some());
        if let Some(value) = form.decode(bytes) {
            let again = written(form, &value);
            assert_eq!(form.decode(&again).as_ref(), Some(&value));
            // Octal may spell what PostgreSQL writes as it is, and needs no more room then.
            assert!(again == bytes || (form == TextForm::Escape && again.len() < bytes.len()));
        }
        let text = written(form, bytes);
        assert_eq!(TextForm::of(&text), form);
        assert_eq!(form.decode(&text).as_deref(), Some(bytes));
        assert!(text.iter().all(|byte| (0x20..0x7f).contains(byte)));
    }
}

fn written(form: TextForm, value: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    form.encode(value, &mut text);
    text
}
