//! `cert …`: the ways to them. Certificates are made in `cert/issue`; `cert/recorded` lists and
//! revokes those that the store knows, `cert/expiry` warns of them; `cert/read` and `cert/request` read files.

mod expiry;
mod issue;
mod read;
mod recorded;
mod request;

pub use expiry::warn_of_authority;

use crate::Error;
use crate::cli::cert::{self as cli, Role};
use crate::output::Output;

pub fn run(command: cli::Cert, output: &mut Output<'_>) -> Result<(), Error> {
    match command {
        cli::Cert::Client(args) => issue::with_key(Role::Client, args, output),
        cli::Cert::Server(args) => issue::with_key(Role::Server, args, output),
        cli::Cert::Admin(args) => issue::with_key(Role::Admin, args, output),
        cli::Cert::Sign(args) => issue::for_request(args, output),
        cli::Cert::Authority(args) => issue::authority(args, output),
        cli::Cert::Record(args) => recorded::record(args, output),
        cli::Cert::List(args) => recorded::list(args, output),
        cli::Cert::Show(args) => recorded::show(args, output),
        cli::Cert::Revoke(args) => recorded::revoke(args, output),
    }
}
