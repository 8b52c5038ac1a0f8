use envelope::{ClientId, Owner, ZoneId};

use super::*;
use crate::MasterKey;
use crate::record::{ClientBody, Permitted, Revoked};

fn store(directory: &tempfile::TempDir) -> Store {
    let path = directory.path().join("store.db");
    Store::create(path.as_path(), MasterKey::generate().unwrap(), "a test").unwrap()
}

#[test]
fn a_change_depends_on_the_first_of_two_answers_about_one_record() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let id: ClientId = "app".parse().unwrap();
    let author = store.by("a test");
    author.add_client(&id, false, None).unwrap();
    let name = RecordName::Owner(Owner::Client(id.clone()));
    let mut runs = 0;
    let answer = author.change(|tx| {
        runs += 1;
        let body: ClientBody = tx.require(&name)?;
        if runs == 1 {
            // Another one changes it, and then it is read again.
            store.by("another").change_client(&id, Some(true), None)?;
        }
        tx.is_taken(&name)?;
        tx.put_json(&name, &body)?;
        Ok(body.create_zones)
    });
    assert!(answer.unwrap().0, "the other one's change is lost");
    assert_eq!(runs, 2);
}

#[test]
fn a_zone_that_is_named_twice_among_many_is_refused_as_taken() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let ids = ["tenant-1", "tenant-1"].map(|id| id.parse::<ZoneId>().unwrap());
    let added = store
        .by("a test")
        .import_zones(&ids, &Permitted::All, |_| Ok(()));
    assert!(matches!(added, Err(Error::ZoneExists(_))));
    assert!(store.zone(&ids[0]).unwrap().is_none());
}

#[test]
fn more_certificates_are_revoked_at_once_than_one_commit_takes() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let revoked = |number: u32| {
        let revoked = Revoked {
            identity: None,
            at: Timestamp::now(),
            expires: None,
            reason: None,
        };
        (format!("{number:08x}").parse().unwrap(), revoked)
    };
    let all: Vec<_> = (1..=250).map(revoked).collect();
    assert_eq!(store.by("a test").revoke(&all).unwrap().len(), 250);
    assert_eq!(store.revocations().unwrap().certificates.len(), 250);
    assert_eq!(
        store.verify_audit(None, |_| {}).unwrap().faults,
        Vec::<String>::new()
    );
}
