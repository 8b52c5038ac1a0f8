use super::*;
use crate::access::Access;
use envelope::{Recipient, ZoneId};
use keystore::{MasterKey, NewZone, Permitted, Store};
use std::num::NonZeroUsize;
use wire::bytea::TextForm;
use wire::description::{Column, Format};

const BYTEA: u32 = 17;
const TEXT: u32 = 25;

/// A store with two clients and a zone that only the first may open.
struct Fixture {
    _dir: tempfile::TempDir,
    store: Store,
    keys: KeyCache,
    metrics: Metrics,
    refusals: RefusalLog,
    app: ClientId,
    other: ClientId,
    zone: ZoneId,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(
            dir.path().join("store.db"),
            MasterKey::generate().unwrap(),
            "a test",
        )
        .unwrap();
        let (app, other): (ClientId, ClientId) = ("app".parse().unwrap(), "other".parse().unwrap());
        store.by("a test").add_client(&app, true, None).unwrap();
        store.by("a test").add_client(&other, false, None).unwrap();
        let zone: ZoneId = "tenant-1".parse().unwrap();
        let clients = Permitted::Only([app.clone()].into());
        store
            .by("a test")
            .add_zone(&NewZone {
                id: Some(zone.clone()),
                clients,
                creator: None,
            })
            .unwrap();
        let size = NonZeroUsize::new(16).unwrap();
        let keys = KeyCache::new(size, size);
        let (metrics, refusals) = (Metrics::new(), RefusalLog::default());
        Self {
            _dir: dir,
            store,
            keys,
            metrics,
            refusals,
            app,
            other,
            zone,
        }
    }

    fn recipient(&self, owner: impl Into<Owner>) -> Recipient {
        let owner = owner.into();
        let key = self.store.active_key(&owner).unwrap();
        Recipient::new(owner, key.public_key)
    }

    fn seal(&self, owner: impl Into<Owner>, plaintext: &[u8]) -> Vec<u8> {
        self.recipient(owner).seal(plaintext).unwrap()
    }

    /// Opens a row as the server does: again when keys were missing. `None` when it is refused.
    fn open(&self, client: &ClientId, row: &[Field], policy: Policy) -> Option<Vec<Field>> {
        self.work(client, row, policy).0
    }

    /// The same, and how many private-key operations it took with all keys there.
    fn work(&self, client: &ClientId, row: &[Field], policy: Policy) -> (Option<Vec<Field>>, u32) {
        let mut message = BytesMut::new();
        let mut writer = RowWriter::begin(&mut message, row.len() as u16);
        for field in row {
            writer.field(field.1.as_deref()).unwrap();
        }
        writer.finish().unwrap();
        let columns: Vec<Column> = row.iter().map(|field| field.0).collect();
        let shape = Shape::of(&columns);
        let access = Arc::<Access>::default().begin(client);
        let opener = Opener {
            client,
            keys: &self.keys,
            metrics: &self.metrics,
            refusals: &self.refusals,
            access: &access,
            encoding: Encoding::Utf8,
        };
        let fields = Fields::parse(&message[5..]).unwrap();
        let mut fetched = Fetched::default();
        loop {
            let (outcome, operations) = opener.open_row(fields, &shape, policy, &fetched);
            let edits = match outcome {
                Outcome::KeysMissing(missing) => {
                    fetched
                        .keys
                        .extend(self.keys.load(&self.store, &missing).unwrap().keys);
                    fetched.asked.extend(missing);
                    // Another server's change may empty the cache at any time.
                    self.keys.forget_all();
                    continue;
                }
                Outcome::Unchanged => return (Some(row.to_vec()), operations),
                Outcome::Refused { .. } => return (None, operations),
                Outcome::Changed(edits) => edits,
            };
            let mut out = BytesMut::new();
            edits.write(b'D', fields, &mut out).unwrap();
            let values = Fields::parse(&out[5..]).unwrap();
            let values = values.iter().map(|value| value.map(<[u8]>::to_vec));
            return (Some(columns.into_iter().zip(values).collect()), operations);
        }
    }

    /// What becomes of the row's last field.
    fn last(&self, client: &ClientId, row: &[Field], policy: Policy) -> Option<Vec<u8>> {
        self.open(client, row, policy).unwrap().pop().unwrap().1
    }
}

type Field = (Column, Option<Vec<u8>>);

fn bytea(value: &[u8]) -> Field {
    (
        Column {
            type_oid: BYTEA,
            format: Format::Binary,
        },
        Some(value.to_vec()),
    )
}

fn text(value: &str) -> Field {
    (
        Column {
            type_oid: TEXT,
            format: Format::Text,
        },
        Some(value.into()),
    )
}

fn policy(zone_mode: ZoneMode, on_refused: OnRefused) -> Policy {
    Policy {
        zone_mode,
        on_refused,
    }
}

const OFF: Policy = Policy {
    zone_mode: ZoneMode::Off,
    on_refused: OnRefused::Ciphertext,
};
const ON: Policy = Policy {
    zone_mode: ZoneMode::On,
    on_refused: OnRefused::Ciphertext,
};
const MIXED: Policy = Policy {
    zone_mode: ZoneMode::Mixed,
    on_refused: OnRefused::Ciphertext,
};

#[test]
fn zone_mode_decides_which_kind_of_owner_is_opened() {
    let f = Fixture::new();
    let client = f.seal(f.app.clone(), b"mine");
    let zoned = f.seal(f.zone.clone(), b"zoned");
    for (policy, opens_client, opens_zone) in
        [(OFF, true, false), (ON, false, true), (MIXED, true, true)]
    {
        let opened = f.last(&f.app, &[bytea(&client)], policy).unwrap();
        assert_eq!(opened == b"mine", opens_client, "{policy:?}");
        assert_eq!(opened == client, !opens_client, "{policy:?}");
        let opened = f
            .last(&f.app, &[text("tenant-1"), bytea(&zoned)], policy)
            .unwrap();
        assert_eq!(opened == b"zoned", opens_zone, "{policy:?}");
        assert_eq!(opened == zoned, !opens_zone, "{policy:?}");
    }
}

#[test]
fn a_value_of_one_client_does_not_open_for_another() {
    let f = Fixture::new();
    let sealed = f.seal(f.app.clone(), b"mine");
    assert_eq!(f.last(&f.other, &[bytea(&sealed)], MIXED), Some(sealed));
    assert_eq!(
        f.metrics.values(),
        control::Values {
            opened: 0,
            refused: 1
        }
    );
}

#[test]
fn a_zone_opens_only_for_the_clients_it_lists_also_when_its_key_is_in_memory() {
    let f = Fixture::new();
    let row = [text("tenant-1"), bytea(&f.seal(f.zone.clone(), b"zoned"))];
    assert_eq!(f.last(&f.app, &row, ON), Some(b"zoned".to_vec()));
    let id = f.recipient(f.zone.clone()).key_id();
    f.keys.load(&f.store, &[id]).unwrap();
    assert!(f.keys.get(id).is_some());
    assert_eq!(f.last(&f.other, &row, ON), row[1].1);
}

#[test]
fn a_zone_value_opens_only_with_its_own_tag_before_it() {
    let f = Fixture::new();
    let sealed = f.seal(f.zone.clone(), b"zoned");
    let opens = |row: &[Field]| f.open(&f.app, row, ON).unwrap() != row;
    assert!(opens(&[text("tenant-1"), bytea(&sealed)]));
    assert!(opens(&[text("tenant-1"), text("between"), bytea(&sealed)]));
    assert!(opens(&[bytea(b"tenant-1"), bytea(&sealed)]));
    assert!(!opens(&[bytea(&sealed)]), "no tag");
    assert!(
        !opens(&[text("tenant-2"), bytea(&sealed)]),
        "another zone's tag"
    );
    assert!(
        !opens(&[bytea(&sealed), text("tenant-1")]),
        "a tag behind it"
    );
    assert!(
        !opens(&[text("tenant-1 "), bytea(&sealed)]),
        "not the whole field"
    );
    let number = Column {
        type_oid: 23,
        format: Format::Text,
    };
    assert!(
        !opens(&[(number, Some(b"tenant-1".to_vec())), bytea(&sealed)]),
        "no type for a tag"
    );
}

#[test]
fn a_tag_in_the_field_goes_with_the_envelope_and_stays_when_it_is_refused() {
    let f = Fixture::new();
    let field = [
        b"a[tenant-1]".as_slice(),
        &f.seal(f.zone.clone(), b"zoned"),
        b"b",
    ]
    .concat();
    assert_eq!(
        f.last(&f.app, &[bytea(&field)], ON),
        Some(b"azonedb".to_vec())
    );
    assert_eq!(f.last(&f.app, &[bytea(&field)], OFF), Some(field));
}

#[test]
fn a_tag_inside_an_opened_value_is_none() {
    let f = Fixture::new();
    let tag = f.seal(f.app.clone(), b"tenant-1");
    let sealed = f.seal(f.zone.clone(), b"zoned");
    let row = f
        .open(&f.app, &[bytea(&tag), bytea(&sealed)], MIXED)
        .unwrap();
    assert_eq!(row[0].1.as_deref(), Some(b"tenant-1".as_slice()));
    assert_eq!(row[1].1, Some(sealed));
}

#[test]
fn every_form_of_bytea_comes_back_in_the_form_it_came_in() {
    let f = Fixture::new();
    let plaintext = b"\x00\\ \xff'";
    let field = [b"<".as_slice(), &f.seal(f.app.clone(), plaintext), b">"].concat();
    let opened = [b"<".as_slice(), plaintext, b">"].concat();
    assert_eq!(f.last(&f.app, &[bytea(&field)], OFF), Some(opened.clone()));
    for form in [TextForm::Hex, TextForm::Escape] {
        let (mut sealed_text, mut opened_text) = (Vec::new(), Vec::new());
        form.encode(&field, &mut sealed_text);
        form.encode(&opened, &mut opened_text);
        let column = Column {
            type_oid: BYTEA,
            format: Format::Text,
        };
        assert_eq!(
            f.last(&f.app, &[(column, Some(sealed_text))], OFF),
            Some(opened_text)
        );
    }
}

#[test]
fn what_opens_to_no_text_where_text_stands_is_refused_and_its_tag_stays() {
    let f = Fixture::new();
    let field = |plaintext: &[u8]| {
        let sealed = envelope::armor(&f.seal(f.zone.clone(), plaintext));
        text(&format!("a[tenant-1]{sealed}b"))
    };
    assert_eq!(
        f.last(&f.app, &[field(b"text")], ON),
        Some(b"atextb".to_vec())
    );
    for plaintext in [b"\xff".as_slice(), b"a\0"] {
        let row = [field(plaintext)];
        assert_eq!(f.last(&f.app, &row, ON), row[0].1);
        assert_eq!(
            f.last(&f.app, &row, policy(ZoneMode::On, OnRefused::Null)),
            None
        );
        let fails = policy(ZoneMode::On, OnRefused::Error);
        assert!(f.open(&f.app, &row, fails).is_none());
    }
    let values = control::Values {
        opened: 1,
        refused: 6,
    };
    assert_eq!(f.metrics.values(), values);
}

#[test]
fn a_field_that_opening_makes_too_long_is_refused_whole() {
    let f = Fixture::new();
    let sealed = envelope::armor(&f.seal(f.app.clone(), &[b'\\'; 1000]));
    // Every level of quotes around it writes a backslash twice.
    let nested = (0..8).fold(sealed, |it, _| {
        format!("(\"{}\")", it.replace('\\', "\\\\").replace('"', "\"\""))
    });
    let record = Column {
        type_oid: 2249,
        format: Format::Text,
    };
    let row = [(record, Some(nested.into_bytes()))];
    assert_eq!(f.last(&f.app, &row, OFF), row[0].1);
    let null = policy(ZoneMode::Off, OnRefused::Null);
    assert_eq!(f.last(&f.app, &row, null), None);
    let fails = policy(ZoneMode::Off, OnRefused::Error);
    assert!(f.open(&f.app, &row, fails).is_none());
}

#[test]
fn a_refused_value_stays_or_is_null_or_fails_the_query() {
    let f = Fixture::new();
    let sealed = f.seal(f.other.clone(), b"theirs");
    let mine = f.seal(f.app.clone(), b"mine");
    let both = [mine.as_slice(), &sealed].concat();
    let row = [bytea(&mine), bytea(&sealed), bytea(&both), bytea(b"plain")];
    let values = |on_refused| {
        f.open(&f.app, &row, policy(ZoneMode::Off, on_refused))
            .map(|row| row.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
    };
    let (mine, plain) = (Some(b"mine".to_vec()), Some(b"plain".to_vec()));
    let half = Some([b"mine".as_slice(), &sealed].concat());
    assert_eq!(
        values(OnRefused::Ciphertext),
        Some(vec![mine.clone(), Some(sealed), half, plain.clone()])
    );
    assert_eq!(values(OnRefused::Null), Some(vec![mine, None, None, plain]));
    assert_eq!(values(OnRefused::Error), None);
}

#[test]
fn an_altered_envelope_is_refused_and_a_look_alike_is_left_alone() {
    let f = Fixture::new();
    let sealed = f.seal(f.app.clone(), b"mine");
    let mut refused = 0;
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert_eq!(
            f.last(&f.app, &[bytea(&altered)], OFF),
            Some(altered),
            "byte {at}"
        );
        refused = f.metrics.values().refused;
    }
    // Magic, version, and lengths that reach beyond the field or below the minimum make it no
    // envelope at all.
    assert!(
        (sealed.len() as u64 - 9..sealed.len() as u64).contains(&refused),
        "{refused}"
    );
    assert_eq!(f.metrics.values().opened, 0);
}

#[test]
fn null_and_empty_values_pass() {
    let f = Fixture::new();
    let null = (
        Column {
            type_oid: BYTEA,
            format: Format::Binary,
        },
        None,
    );
    let row = vec![null, bytea(b"")];
    assert_eq!(f.open(&f.app, &row, OFF), Some(row));
}

#[test]
fn a_row_of_forgeries_costs_at_most_64_private_key_operations() {
    let f = Fixture::new();
    let mut forged = f.seal(f.app.clone(), b"x");
    *forged.last_mut().unwrap() ^= 1;
    let mut row: Vec<Field> = (0..100).map(|_| bytea(&forged)).collect();
    row.push(bytea(&f.seal(f.app.clone(), b"genuine")));
    assert_eq!(f.open(&f.app, &row, OFF), Some(row));
    let metrics = f.metrics.render();
    assert!(
        metrics.contains("{reason=\"not_authentic\"} 64"),
        "{metrics}"
    );
    assert!(metrics.contains("{reason=\"untried\"} 37"), "{metrics}");
}

#[test]
fn values_of_one_batch_share_a_key_schedule_and_forgeries_leave_none() {
    let f = Fixture::new();
    let recipient = f.recipient(f.app.clone());
    let mut batch = recipient.batch().unwrap();
    let (first, second) = (batch.seal(b"1").unwrap(), batch.seal(b"2").unwrap());
    let id = envelope::find(&first).unwrap().1.schedule_id().unwrap();
    let mut forged = first.clone();
    *forged.last_mut().unwrap() ^= 1;
    f.keys.load(&f.store, &[recipient.key_id()]).unwrap();
    f.last(&f.app, &[bytea(&forged)], OFF);
    assert!(f.keys.schedule(&id).is_none());
    assert_eq!(f.last(&f.app, &[bytea(&first)], OFF), Some(b"1".to_vec()));
    assert!(f.keys.schedule(&id).is_some());
    assert_eq!(f.last(&f.app, &[bytea(&second)], OFF), Some(b"2".to_vec()));
}

#[test]
fn a_row_says_how_many_private_key_operations_it_took() {
    let f = Fixture::new();
    let operations = |row: &[Field]| f.work(&f.app, row, OFF).1;
    assert_eq!(operations(&[bytea(b"clear"), text("clear")]), 0);
    let sealed = || bytea(&f.seal(f.app.clone(), b"mine"));
    assert_eq!(
        operations(&[sealed(), text("clear"), sealed(), sealed()]),
        3
    );
    // What is refused before its key is needed costs none.
    assert_eq!(operations(&[bytea(&f.seal(f.other.clone(), b"theirs"))]), 0);
}

#[test]
fn metrics_and_counts_hold_no_value() {
    let f = Fixture::new();
    f.last(
        &f.app,
        &[bytea(&f.seal(f.app.clone(), b"marked-plaintext"))],
        OFF,
    );
    assert!(!f.metrics.render().contains("marked-plaintext"));
    assert_eq!(
        f.metrics.values(),
        control::Values {
            opened: 1,
            refused: 0
        }
    );
}

#[test]
fn a_row_fetches_a_bounded_number_of_keys() {
    let f = Fixture::new();
    let sealed = f.seal(f.app.clone(), b"x");
    let foreign = |n: usize| {
        let mut envelope = sealed.clone();
        envelope[8..16].copy_from_slice(&(n as u64).to_be_bytes());
        envelope
    };
    let field: Vec<u8> = (0..MAX_FETCHED + 10).flat_map(foreign).collect();
    let row = [bytea(&field)];
    assert_eq!(f.open(&f.app, &row, OFF).unwrap(), row);
    let metrics = f.metrics.render();
    assert!(
        metrics.contains("{reason=\"unknown_key\"} 1024"),
        "{metrics}"
    );
    assert!(metrics.contains("{reason=\"untried\"} 10"), "{metrics}");
}

/// Values opened and refused, in each mode: off, on, mixed.
type Modes = [(u64, u64); 3];

/// What each mode would have made of values since the fixture was made.
fn by_mode(f: &Fixture) -> Modes {
    let modes = f.metrics.prospects.by_mode();
    [modes.off, modes.on, modes.mixed].map(|values| (values.opened, values.refused))
}

#[test]
fn every_verdict_counts_for_the_modes_that_would_come_to_it() {
    let client_only = [(1, 0), (0, 1), (1, 0)];
    let zone_only = [(0, 1), (1, 0), (1, 0)];
    let never = [(0, 1); 3];
    let tag = text("tenant-1");
    type Row = fn(&Fixture, &Field) -> Vec<Field>;
    let cases: [(&str, Row, Modes); 7] = [
        (
            "a client's own",
            |f, _| vec![bytea(&f.seal(f.app.clone(), b"x"))],
            client_only,
        ),
        (
            "another client's",
            |f, _| vec![bytea(&f.seal(f.other.clone(), b"x"))],
            never,
        ),
        (
            "a zone's",
            |f, tag| vec![tag.clone(), bytea(&f.seal(f.zone.clone(), b"x"))],
            zone_only,
        ),
        (
            "a zone's without its tag",
            |f, _| vec![bytea(&f.seal(f.zone.clone(), b"x"))],
            never,
        ),
        (
            "of an unknown key",
            |f, _| {
                let mut sealed = f.seal(f.app.clone(), b"x");
                sealed[8] ^= 1;
                vec![bytea(&sealed)]
            },
            never,
        ),
        (
            "of an unknown suite",
            |f, _| {
                let mut sealed = f.seal(f.app.clone(), b"x");
                sealed[5] = 9;
                vec![bytea(&sealed)]
            },
            never,
        ),
        ("none", |_, _| vec![bytea(b"plain")], [(0, 0); 3]),
    ];
    for (what, row, expected) in cases {
        for policy in [OFF, ON, MIXED] {
            let f = Fixture::new();
            f.open(&f.app, &row(&f, &tag), policy).unwrap();
            assert_eq!(by_mode(&f), expected, "{what}, read under {policy:?}");
        }
    }
}

#[test]
fn a_forgery_counts_as_refused_only_where_it_was_tried() {
    let f = Fixture::new();
    let mut forged = f.seal(f.app.clone(), b"x");
    *forged.last_mut().unwrap() ^= 1;
    f.open(&f.app, &[bytea(&forged)], ON).unwrap();
    assert_eq!(by_mode(&f), [(1, 0), (0, 1), (1, 0)]);
    f.open(&f.app, &[bytea(&forged)], OFF).unwrap();
    assert_eq!(by_mode(&f), [(1, 1), (0, 2), (1, 1)]);
}

#[test]
fn values_of_withheld_keys_open_in_no_mode() {
    let f = Fixture::new();
    let sealed = f.seal(f.zone.clone(), b"x");
    let row = [text("tenant-1"), bytea(&sealed)];
    let author = f.store.by("a test");
    author
        .order_destruction(&f.zone, std::time::Duration::from_secs(1_000_000))
        .unwrap();
    f.keys.forget_all();
    f.open(&f.app, &row, OFF).unwrap();
    assert_eq!(by_mode(&f), [(0, 1); 3]);
}

#[test]
fn a_row_whose_keys_were_fetched_first_counts_once() {
    let f = Fixture::new();
    let row = [
        bytea(&f.seal(f.app.clone(), b"x")),
        bytea(&f.seal(f.other.clone(), b"x")),
    ];
    f.open(&f.app, &row, ON).unwrap();
    assert_eq!(by_mode(&f), [(1, 1), (0, 2), (1, 1)]);
    assert_eq!(f.metrics.values().refused, 2);
}
