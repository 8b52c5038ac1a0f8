//! The parts of the path of one value, each by itself on one core: processor time of this thread, the
//! least of many batches, which is what it takes when nothing comes between.

use std::hint::black_box;
use std::time::Duration;

use bytes::BytesMut;
use envelope::{Batch, Envelope, Owner, PrivateKey, Recipient, Schedule, armor, find, open};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use wire::frame::run_of;
use wire::row::{Fields, RowWriter};

/// How much is done.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many batches of each, the least of which counts.
    #[arg(long, value_name = "N", default_value_t = 50)]
    batches: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How long a batch takes about.
const BATCH: Duration = Duration::from_millis(10);

/// Of what is sealed, and of a row's field, in bytes.
const VALUE: [u8; 64] = [7; 64];
const FIELDS: u16 = 10;
const ROWS: u16 = 1000;

/// Prints the table.
pub fn run(options: &Options) {
    let mut measured = Vec::new();
    let mut measure = |what, work: &mut dyn FnMut()| {
        measured.push((what, nanoseconds(options.batches, work)));
    };
    seal_and_open(&mut measure);
    walk(&mut measure);
    match options.json {
        true => println!("{}", json(&measured)),
        false => print!("{}", text(&measured)),
    }
}

fn seal_and_open(measure: &mut impl FnMut(&'static str, &mut dyn FnMut())) {
    let key = PrivateKey::generate().expect("the system has random numbers");
    let owner = Owner::Client("app".parse().expect("a name"));
    let recipient = Recipient::new(owner.clone(), key.public_key());
    let sealed = recipient.seal(&VALUE).expect("it is short");
    let mut batch = recipient.batch().expect("a batch");
    let of_batch = batch.seal(&VALUE).expect("the first of many");
    let whole = |bytes| find(bytes).map(|(_, envelope)| envelope);
    let (single, batched) = (expect(whole(&sealed)), expect(whole(&of_batch)));

    measure("seal, one encapsulation per value, 64 B", &mut || {
        black_box(recipient.seal(black_box(&VALUE)).ok());
    });
    measure("seal in a batch, 64 B", &mut || {
        seal(&mut batch, &recipient)
    });
    measure("open, one encapsulation per value, 64 B", &mut || {
        black_box(open(black_box(&single), &owner, &key).ok());
    });
    for (what, envelope) in [
        ("open again, encapsulation kept, 64 B", single),
        ("open of a batch, encapsulation kept, 64 B", batched),
    ] {
        let schedule = expect(Schedule::derive(&envelope, &owner, &key).ok());
        measure(what, &mut || open_with(&schedule, &envelope));
    }
    let clear = [b'x'; 64];
    measure("find in 64 B, nothing there", &mut || {
        black_box(find(black_box(&clear)).is_some());
    });
    let long = vec![b'x'; 64 << 10];
    measure("find in 64 KiB, nothing there", &mut || {
        black_box(find(black_box(&long)).is_some());
    });
    let text = armor(&sealed);
    measure("find armor in text, and decode it", &mut || {
        let edit = envelope::open_field(black_box(text.as_bytes()), envelope::Form::Text, |_| {
            envelope::Verdict::Refused
        });
        black_box(edit.refused);
    });
}

fn seal(batch: &mut Batch, recipient: &Recipient) {
    if batch.seal(black_box(&VALUE)).is_err() {
        *batch = recipient.batch().expect("a batch");
    }
}

fn open_with(schedule: &Schedule, envelope: &Envelope<'_>) {
    black_box(schedule.open(black_box(envelope)).ok());
}

/// Of one row of ten fields of 64 bytes, and of a thousand.
fn walk(measure: &mut impl FnMut(&'static str, &mut dyn FnMut())) {
    let mut row = BytesMut::new();
    write(
        &mut row,
        std::iter::repeat_n(Some(&VALUE[..]), FIELDS.into()),
    );
    let body = row[5..].to_vec();
    measure("walk a row of ten fields", &mut || {
        let fields = expect(Fields::parse(black_box(&body)).ok());
        black_box(fields.iter().flatten().map(<[u8]>::len).sum::<usize>());
    });
    let mut out = BytesMut::with_capacity(row.len());
    measure("walk it and write it anew, one field replaced", &mut || {
        out.clear();
        let fields = expect(Fields::parse(black_box(&body)).ok());
        let replaced = fields.iter().enumerate();
        let replaced = replaced.map(|(n, it)| if n == 3 { Some(&VALUE[..32]) } else { it });
        write(&mut out, replaced);
        black_box(&out);
    });
    let rows = row.repeat(ROWS.into());
    measure("split a thousand rows into messages", &mut || {
        black_box(run_of(b'D', black_box(&rows)));
    });
}

fn write<'a>(out: &mut BytesMut, fields: impl Iterator<Item = Option<&'a [u8]>>) {
    let mut writer = RowWriter::begin(out, FIELDS);
    for field in fields {
        expect(writer.field(field).ok());
    }
    expect(writer.finish().ok());
}

fn expect<T>(made: Option<T>) -> T {
    made.expect("what was made here is well formed")
}

/// Of one time that the work is done.
fn nanoseconds(batches: u32, work: &mut dyn FnMut()) -> f64 {
    let mut times: u32 = 1;
    // As often as fills a batch.
    while time(times, work) < BATCH && times < u32::MAX / 2 {
        times *= 2;
    }
    let least = (0..batches).map(|_| time(times, work)).min();
    least.unwrap_or_default().as_secs_f64() * 1e9 / f64::from(times)
}

fn time(times: u32, work: &mut dyn FnMut()) -> Duration {
    let begun = thread_time();
    for _ in 0..times {
        work();
    }
    thread_time() - begun
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into()
        .expect("processor time does not run backwards")
}

fn text(measured: &[(&str, f64)]) -> String {
    let mut text = String::from("| what | ns | per second and core |\n|---|---:|---:|\n");
    for (what, nanoseconds) in measured {
        text += &format!("| {what} | {nanoseconds:.1} | {:.0} |\n", 1e9 / nanoseconds);
    }
    text
}

fn json(measured: &[(&str, f64)]) -> Value {
    let line = |(what, nanoseconds): &(&str, f64)| json!({ "what": what, "ns": nanoseconds });
    measured.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_the_time_of_its_own_thread() {
        // Who sleeps uses none.
        let mut slept = false;
        let of_sleep = nanoseconds(1, &mut || {
            if !std::mem::replace(&mut slept, true) {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        assert!(of_sleep < 1e6, "{of_sleep}");
        let table = text(&[("work", 250.0)]);
        assert!(table.ends_with("| work | 250.0 | 4000000 |\n"), "{table}");
    }
}
