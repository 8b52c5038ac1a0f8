//! Keys of every length that the protocol allows. No PostgreSQL gives those, so the database is a
//! script here: it lets everybody in, and takes note of cancel requests.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use harness::raw::{Session, message};
use harness::{Connector, Keys, PATIENCE, Random, Server};

use super::cancel;

/// Of secrets, in bytes: the shortest and the longest of protocol 3.2, that of 3.0, and some between.
const LENGTHS: [usize; 6] = [4, 5, 31, 32, 255, 256];

/// Cancel requests that came to the database.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// The process id is the length of the secret.
fn key(length: usize, secrets: &[u8]) -> Vec<u8> {
    let pid = u32::try_from(length).unwrap().to_be_bytes();
    [&pid, &secrets[..length]].concat()
}

fn serve(mut stream: TcpStream, secrets: &[u8], heard: &Heard) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut packet = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut packet)?;
    if packet.starts_with(&message::cancel_request(&[])[4..]) {
        heard.lock().unwrap().push(packet[4..].to_vec());
        return Ok(());
    }
    // The user's name is the length of the key that is wanted.
    let name = packet.split(|byte| *byte == 0).find_map(|part| {
        let length: Option<usize> = std::str::from_utf8(part).ok()?.parse().ok();
        length
    });
    let greeting = [
        message::tagged(b'R', &[0; 4]),
        message::tagged(b'K', &key(name.unwrap(), secrets)),
        message::tagged(b'Z', b"I"),
    ];
    stream.write_all(&greeting.concat())?;
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

fn open(connector: &Connector, length: usize) -> (Session, Vec<u8>) {
    let mut session = connector.address().raw();
    let user = [("user", length.to_string())];
    let user = user.each_ref().map(|(name, value)| (*name, value.as_str()));
    session.send(message::startup_version(message::VERSION_3_2, &user));
    let greeting = session.read_until_ready();
    (session, greeting[1].body.clone())
}

#[test]
fn keys_of_4_to_256_bytes_cancel_and_no_other_bit_will_do() {
    let mut random = Random::new();
    let secrets = random.bytes(256);
    let heard = Heard::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn({
        let (secrets, heard) = (secrets.clone(), heard.clone());
        move || {
            for stream in listener.incoming() {
                let (secrets, heard) = (secrets.clone(), heard.clone());
                thread::spawn(move || serve(stream.unwrap(), &secrets, &heard));
            }
        }
    });
    let keys = Keys::new();
    keys.add_client("app");
    let server = Server::start(
        "server",
        &keys.server_identity("primary"),
        &keys,
        &address,
        &[],
    );
    let identity = keys.client_identity("app");
    let connector = Connector::start("connector", &identity, server.port(), &[]);

    let sessions = LENGTHS.map(|length| open(&connector, length));
    for (length, (_session, given)) in LENGTHS.iter().zip(&sessions) {
        assert_eq!(*given, key(*length, &secrets), "{length}");
        for _ in 0..20 {
            cancel(connector.address(), &random.flip(given));
        }
        let longer = [given.as_slice(), &[0]].concat();
        // Neither is a key at all where it is shorter than 4 bytes or longer than 256.
        for wrong in [&given[..given.len() - 1], &longer] {
            let mut session = connector.address().raw();
            session.send(message::cancel_request(wrong));
            let _ = session.last_words("a wrong length");
        }
        assert_eq!(*heard.lock().unwrap(), Vec::<Vec<u8>>::new(), "{length}");
        cancel(connector.address(), given);
        assert_eq!(
            heard.lock().unwrap().drain(..).collect::<Vec<_>>(),
            [given.clone()]
        );
    }
    assert_eq!(server.counted("cancels_total"), LENGTHS.len() as u64);
}
