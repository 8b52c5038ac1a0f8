//! The targets as libFuzzer runs them: one program for all, because linking one for each would take
//! longer than running them. `PGSEAL_FUZZ` names the target; `list` prints all and the files that
//! they are about. The command line is libFuzzer's own.

#![no_main]

use std::process::exit;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use pgseal_fuzz::{TARGETS, Target};

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(
    init: { TARGET.get_or_init(named) },
    |bytes| (TARGET.get_or_init(named).run)(bytes)
);

fn named() -> &'static Target {
    let name = std::env::var("PGSEAL_FUZZ").unwrap_or_default();
    if let Some(target) = TARGETS.iter().find(|target| target.name == name) {
        return target;
    }
    if name != "list" {
        eprintln!("pgseal-fuzz: PGSEAL_FUZZ='{name}' is no target; `list` lists them");
        exit(2);
    }
    for target in TARGETS {
        println!("{} {}", target.name, target.parsers.join(" "));
    }
    exit(0)
}
