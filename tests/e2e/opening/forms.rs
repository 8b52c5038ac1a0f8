//! Every form that a sealed value can have in a field, in every form that the field can be sent in,
//! through both chains.

use envelope::Recipient;
use harness::Chain;
use harness::raw::{literal, message, rows};
use tokio_postgres::Client;

use super::{Form, all_open, start};

/// Values to be sealed, some of them written in a way of their own in some form.
fn plaintexts() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"4000 0012 3456 7899".to_vec(),
        "Grüße, 世界".into(),
        br"\x00 \\ \134 'quoted' \".to_vec(),
        (0..=255).collect(),
        vec![b'x'; 70_000],
    ]
}

/// One field as it is stored, and as it is to come back.
struct Field {
    sealed: Vec<u8>,
    clear: Vec<u8>,
}

/// Every way to put sealed values into a field that is tagged with `zone` by an earlier column.
fn fields(client: &Recipient, zone: &Recipient) -> Vec<Field> {
    let mut fields = Vec::new();
    for clear in plaintexts() {
        let (by_client, by_zone) = (client.seal(&clear).unwrap(), zone.seal(&clear).unwrap());
        let tag = format!("[{}]", zone.owner().id()).into_bytes();
        let mut batch = client.batch().unwrap();
        let in_batch = [(); 2].map(|()| batch.seal(&clear).unwrap());
        let mut add = |stored: &[&[u8]], back: &[&[u8]]| {
            let (sealed, clear) = (stored.concat(), back.concat());
            fields.push(Field { sealed, clear });
        };
        let clear = clear.as_slice();
        add(&[&by_client], &[clear]);
        add(&[&by_zone], &[clear]);
        add(&[&tag, &by_zone], &[clear]);
        add(&[&in_batch[0]], &[clear]);
        // Embedded: what is around an envelope stays, though it begins like one or like a tag.
        let (before, after) = (b"\xf5pgs\x01 before [DDDD]", b"\\after\x00\xf5");
        add(&[before, &by_client, after], &[before, clear, after]);
        add(&[before, &tag, &by_zone, after], &[before, clear, after]);
        // Several.
        add(&[&in_batch[0], b", ", &in_batch[1]], &[clear, b", ", clear]);
        add(
            &[&by_zone, &by_client, b"/", &tag, &by_zone, &by_client],
            &[clear, clear, b"/", clear, clear],
        );
    }
    fields
}

async fn store(session: &Client, fields: &[Field], tag: &str) {
    session
        .batch_execute("create table stored (id int, tag text, sealed bytea, clear bytea)")
        .await
        .unwrap();
    for (id, Field { sealed, clear }) in (0_i32..).zip(fields) {
        let insert = "insert into stored values ($1, $2, $3, $4)";
        let inserted = session
            .execute(insert, &[&id, &tag, sealed, clear])
            .await
            .unwrap();
        assert_eq!(inserted, 1);
    }
}

#[tokio::test]
async fn sealed_values_open_in_every_form_through_both_chains() {
    let chain = Chain::builder().zone_mode("mixed").start();
    let zone = chain.keys.add_zone(&["app"]);
    let fields = fields(&chain.client(), &zone);
    let tag = zone.owner().id();
    store(&chain.primary.connect().await, &fields, tag).await;
    chain.wait_for_replay();

    let all = "select tag, sealed, clear from stored order by id";
    for link in [&chain.primary, &chain.replica] {
        let mut session = link.address().raw();
        session.start();
        for form in Form::ALL {
            let answer = form.ask(&mut session, all);
            all_open(&answer, fields.len(), &format!("{form:?}"));
        }
        // The database has them sealed, and the expectation is what was sealed.
        let mut direct = link.database.address().raw();
        direct.start();
        let stored = rows(&direct.extended(all, 1));
        for (row, Field { sealed, clear }) in stored.iter().zip(&fields) {
            let bytes = [tag.as_bytes(), sealed, clear].map(|bytes| Some(bytes.to_vec()));
            assert_eq!(row.as_slice(), bytes);
        }
    }
}

#[test]
fn a_null_stays_null_beside_values_that_open() {
    let (keys, link) = start("off");
    let sealed = literal(&keys.client("app").seal(b"opened").unwrap());
    let sql = format!("select null::bytea, {sealed}, 'opened'::bytea, null::bytea");
    let mut session = link.address().raw();
    session.start();
    for form in Form::ALL {
        let answer = rows(&form.ask(&mut session, &sql));
        let [row] = answer.as_slice() else {
            panic!("{form:?}: {answer:?}")
        };
        assert!(row[0].is_none() && row[3].is_none(), "{form:?}");
        assert!(row[1].is_some() && row[1] == row[2], "{form:?}");
    }
}

#[test]
fn an_empty_value_opens_to_an_empty_value_and_not_to_null() {
    let (keys, link) = start("off");
    let sealed = literal(&keys.client("app").seal(b"").unwrap());
    let mut session = link.address().raw();
    session.start();
    for (form, empty) in Form::ALL.into_iter().zip(["\\x", "", "\\x", "", ""]) {
        let answer = form.ask(&mut session, &format!("select {sealed}, ''::bytea"));
        let empty = Some(empty.as_bytes().to_vec());
        assert_eq!(rows(&answer), [[empty.clone(), empty]], "{form:?}");
    }
}

#[test]
fn an_envelope_that_a_value_opens_to_stays_sealed() {
    let (keys, link) = start("off");
    let app = keys.client("app");
    let inner = app.seal(b"within").unwrap();
    let outer = literal(&app.seal(&inner).unwrap());
    let mut session = link.address().raw();
    session.start();
    let answer = session.extended(&format!("select {outer}"), 1);
    assert_eq!(rows(&answer), [[Some(inner)]]);
}

#[tokio::test]
async fn a_value_of_eight_megabytes_opens() {
    let (keys, link) = start("off");
    let clear: Vec<u8> = (0..8_u32 << 20)
        .map(|i| (i ^ (i >> 9)).to_le_bytes()[0])
        .collect();
    let sealed = keys.client("app").seal(&clear).unwrap();
    let session = link.connect().await;
    let schema = "create table stored (sealed bytea, clear bytea)";
    session.batch_execute(schema).await.unwrap();
    let insert = "insert into stored values ($1, $2)";
    session.execute(insert, &[&sealed, &clear]).await.unwrap();
    let mut raw = link.address().raw();
    raw.start();
    for form in [Form::ExtendedBinary, Form::SimpleHex] {
        let answer = form.ask(&mut raw, "select sealed, clear from stored");
        all_open(&answer, 1, &format!("{form:?}"));
    }
    let opened = r#"values_opened_total{owner="client"}"#;
    assert_eq!(link.server.counted(opened), 2);
}

#[test]
fn the_format_of_each_column_is_its_own() {
    let (keys, link) = start("off");
    let sealed = literal(&keys.client("app").seal(b"\x01\\").unwrap());
    let mut session = link.address().raw();
    session.start();
    let sql = format!("select {sealed}, {sealed}, 7");
    let formats = [
        (vec![], [br"\x015c".as_slice(), br"\x015c", b"7"]),
        (vec![1], [b"\x01\\", b"\x01\\", b"\0\0\0\x07"]),
        (vec![0, 1, 0], [br"\x015c", b"\x01\\", b"7"]),
        (vec![1, 0, 1], [b"\x01\\", br"\x015c", b"\0\0\0\x07"]),
    ];
    for (formats, expected) in formats {
        let batch = [
            message::parse("", &sql),
            bind_with_formats(&formats),
            message::describe_portal(""),
            message::execute("", 0),
            message::sync(),
        ];
        session.send(batch.concat());
        let expected = expected.map(|field| Some(field.to_vec()));
        assert_eq!(rows(&session.read_until_ready()), [expected], "{formats:?}");
    }
}

/// `Bind` of unnamed statement and portal, with a list of result formats.
fn bind_with_formats(formats: &[u16]) -> Vec<u8> {
    let count = u16::try_from(formats.len()).unwrap();
    let mut body = vec![0, 0, 0, 0, 0, 0];
    body.extend(count.to_be_bytes());
    body.extend(formats.iter().flat_map(|format| format.to_be_bytes()));
    message::tagged(b'B', &body)
}
