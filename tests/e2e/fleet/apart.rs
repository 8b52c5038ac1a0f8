//! The servers of a fleet share etcd, and no file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use harness::Process;

use super::*;

/// Where programs and what they are linked with are.
const LIBRARIES: [&str; 2] = ["/usr/lib/", "/lib/"];

/// The regular files that a process has open or mapped, by device and inode, without its program and
/// libraries.
fn files(process: u32) -> BTreeMap<(u64, u64), PathBuf> {
    let proc = PathBuf::from(format!("/proc/{process}"));
    let program = fs::read_link(proc.join("exe")).unwrap();
    let mut files = BTreeMap::new();
    for directory in ["fd", "map_files"] {
        for entry in fs::read_dir(proc.join(directory)).unwrap() {
            let link = entry.unwrap().path();
            // A file may have been closed meanwhile.
            let (Ok(path), Ok(file)) = (fs::read_link(&link), fs::metadata(&link)) else {
                continue;
            };
            let library = LIBRARIES.iter().any(|place| path.starts_with(place));
            if file.is_file() && path != program && !library {
                files.insert((file.dev(), file.ino()), path);
            }
        }
    }
    files
}

/// The files that both have open.
fn shared(one: &Process, other: &Process) -> Vec<PathBuf> {
    let mut found = [one, other].map(|process| files(process.pid()));
    assert!(found.iter().all(|files| !files.is_empty()), "not even logs");
    // Whatever runs the tests has files of its own open, and all its children with it.
    let inherited = files(std::process::id());
    let [one, other] = &mut found;
    one.retain(|file, _| other.contains_key(file) && !inherited.contains_key(file));
    one.values().cloned().collect()
}

#[test]
fn no_file_is_open_in_two_servers() {
    let fleet = Fleet::start(&[]);
    // What they have to do with each other, they do.
    let zone = fleet.make_zone(0);
    fleet.store(1, &zone, b"opened");
    assert!(read(&mut fleet.session(1), 1).is_some());
    let [one, other] = [0, 1].map(|server| fleet.servers[server].process());
    assert_eq!(shared(one, other), Vec::<PathBuf>::new());
    // Nor can one read the other's: different users, and closed directories.
    for (server, host) in [(0, &fleet.hosts[1]), (1, &fleet.hosts[0])] {
        let own = fleet.hosts[server].dir().path();
        let look = host.runs(Program::at("/bin/ls").arg(own)).run();
        assert_ne!(look.code, Some(0), "{look:?}");
        assert!(fs::read_dir(own).unwrap().count() > 5);
    }
}

#[test]
fn two_servers_on_one_file_are_found() {
    // One user on both hosts, so that nothing but this test stands in the way.
    let fleet = Fleet::with(&[], [0, 0], |_, keys, hosts, server| {
        let one = hosts[0].dir().join("store.db");
        if server == 0 {
            fs::rename(hosts[0].install(&keys.store()), &one).unwrap();
        }
        vec![format!("store = '{}'", one.display())]
    });
    let [one, other] = [0, 1].map(|server| fleet.servers[server].process());
    let found = shared(one, other);
    let store = fleet.hosts[0].dir().join("store.db");
    assert!(found.contains(&store), "{found:?}");
}
