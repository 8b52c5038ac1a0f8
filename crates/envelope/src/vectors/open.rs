//! `open`: envelopes that open. Those whose ephemeral key is given are sealed again, byte for byte.

use serde::Deserialize;

use super::{Hex, Vectors, a_test_for_each};
use crate::{
    Batch, Envelope, Form, PrivateKey, Recipient, Verdict, armor, derive, open, open_field,
};

#[derive(Deserialize)]
pub(super) struct Vector {
    name: String,
    mode: Mode,
    key: String,
    info: Hex,
    ephemeral_private_key: Option<Hex>,
    enc: Hex,
    nonce: Hex,
    plaintext: Hex,
    envelope: Hex,
    armored: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Single,
    Batch,
}

fn opens(file: &Vectors, vector: &Vector) {
    let key = file.keys.iter().find(|key| key.name == vector.key).unwrap();
    let (owner, private_key) = (key.owner(), key.private_key());
    let bytes = &vector.envelope.0;
    let envelope = Envelope::at_start(bytes).unwrap();

    assert_eq!(envelope.as_bytes(), bytes);
    assert_eq!(envelope.key_id(), private_key.public_key().key_id());
    assert_eq!(envelope.enc().unwrap(), vector.enc.0.as_slice());
    assert_eq!(envelope.nonce().unwrap(), vector.nonce.0.as_slice());
    assert_eq!(
        envelope.schedule_id().unwrap().is_batch(),
        vector.mode == Mode::Batch
    );
    assert_eq!(
        derive::info(bytes.first_chunk().unwrap(), &owner),
        vector.info.0
    );

    let plaintext = open(&envelope, &owner, &private_key).unwrap();
    assert_eq!(plaintext.expose_secret(), vector.plaintext.0);

    if let Some(armored) = &vector.armored {
        assert_eq!(&armor(bytes), armored);
        let mut found = 0;
        open_field(armored.as_bytes(), Form::Text, |candidate| {
            found += 1;
            assert_eq!(candidate.envelope.as_bytes(), bytes);
            Verdict::Refused
        });
        assert_eq!(found, 1);
    }

    if let Some(ephemeral) = &vector.ephemeral_private_key {
        let recipient = Recipient::new(owner, private_key.public_key());
        let ephemeral = PrivateKey::from_bytes(ephemeral.array());
        let again = match vector.mode {
            Mode::Single => recipient.seal_with(&ephemeral, &vector.plaintext.0),
            Mode::Batch => Batch::new(&recipient, &ephemeral)
                .unwrap()
                .seal_with(|| Ok(vector.nonce.array()), &vector.plaintext.0),
        };
        assert_eq!(again.unwrap(), *bytes);
    }
}

mod format {
    use super::*;
    use crate::vectors::FORMAT;

    a_test_for_each! { opens, FORMAT.open:
        client_app_library_0 client_app_library_1 client_app_library_16
        client_app_library_1024 client_app_library_65536 client_app_own_0 client_app_own_1
        client_app_own_16 client_app_own_1024 client_app_batch_0 client_app_batch_1
        client_app_batch_16 client_app_batch_1024 client_app_batch_65536
        zone_acra_library_0 zone_acra_library_1 zone_acra_library_16
        zone_acra_library_1024 zone_acra_own_0 zone_acra_own_1 zone_acra_own_16
        zone_acra_own_1024 zone_acra_batch_0 zone_acra_batch_1 zone_acra_batch_16
        zone_acra_batch_1024 zone_acra_batch_65536 client_min_library client_min_batch
        client_max_library client_max_batch client_second_version_library
        client_second_version_batch zone_min_library zone_min_batch zone_max_library
        zone_max_batch zone_uuid_library zone_uuid_batch plaintext_utf8
        plaintext_all_bytes plaintext_is_the_magic plaintext_is_an_envelope
        batch_nonce_all_ones_but_last_bit batch_nonce_one
    }
}

mod more {
    use super::*;
    use crate::vectors::MORE;

    a_test_for_each! { opens, MORE.open:
        client_upper_case_id zone_upper_case_id zone_lower_case_id
        one_encapsulation_single one_encapsulation_first_of_batch
        one_encapsulation_second_of_batch plaintext_is_armor plaintext_is_nul
        plaintext_of_one_block plaintext_of_one_block_and_one
    }
}
