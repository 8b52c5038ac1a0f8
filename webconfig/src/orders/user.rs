//! `user add`, `user list`, `user remove` and `user password`. `user totp` is in `totp`.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use daemon::Failure;
use zeroize::Zeroizing;

use super::User as Order;
use super::totp;
use crate::password::{MAX_PASSWORD, Password, PasswordError};
use crate::users::{User, UserName, Users, UsersError, UsersFile};

/// Why users are as they were.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error(transparent)]
    File(#[from] UsersError),
    #[error("user {0} is there already; `user password` gives another password")]
    Exists(UserName),
    #[error("there is no user {0}")]
    Unknown(UserName),
}

pub fn run(order: Order, path: PathBuf) -> Result<(), Failure> {
    let file = UsersFile::new(path);
    let failed = |error: NotDone| Failure::Failed(error.to_string());
    match order {
        Order::Add {
            name,
            role,
            allow_weak_password,
        } => {
            let password = ask(&name)?;
            let kept = match allow_weak_password {
                true => password.keep_weak(),
                false => password.keep(),
            };
            let password = kept.map_err(|error| unfit(&error))?;
            let told = name.to_string();
            file.change(|users| match users.contains_key(&name) {
                true => Err(NotDone::Exists(name)),
                false => {
                    let secret = None;
                    let user = User {
                        role,
                        password,
                        secret,
                    };
                    users.insert(name, user);
                    Ok(())
                }
            })
            .map_err(failed)?;
            println!("{told} may sign in as {}.", role.name());
        }
        Order::List => {
            let users = file.users().map_err(|error| failed(error.into()))?;
            for (name, user) in users.iter() {
                let codes = if user.secret.is_some() {
                    "  (and a code)"
                } else {
                    ""
                };
                println!("{:8}  {name}{codes}", user.role.name());
            }
        }
        Order::Remove { name } => {
            let remove = |users: &mut Users| match users.remove(&name) {
                Some(_) => Ok(()),
                None => Err(NotDone::Unknown(name.clone())),
            };
            file.change(remove).map_err(failed)?;
            println!("{name} may not sign in any more, and is signed out.");
        }
        Order::Totp { name, off: true } => {
            let change = |user: &mut User| user.secret = None;
            file.change(|users| change_one(users, &name, change))
                .map_err(failed)?;
            println!("{name} is asked for the password alone, and is signed out.");
        }
        Order::Totp { name, off: false } => {
            let users = file.users().map_err(|error| failed(error.into()))?;
            if !users.contains_key(&name) {
                return Err(failed(NotDone::Unknown(name)));
            }
            let secret = totp::enrol(&name)?;
            let change = |user: &mut User| user.secret = Some(secret);
            file.change(|users| change_one(users, &name, change))
                .map_err(failed)?;
            println!("{name} is asked for a code too from now on, and is signed out.");
        }
        Order::Password { name } => {
            let password = ask(&name)?.keep().map_err(|error| unfit(&error))?;
            let change = |user: &mut User| user.password = password;
            file.change(|users| change_one(users, &name, change))
                .map_err(failed)?;
            println!("{name} has a new password, and is signed out.");
        }
    }
    Ok(())
}

fn change_one(
    users: &mut Users,
    name: &UserName,
    change: impl FnOnce(&mut User),
) -> Result<(), NotDone> {
    let user = users.get_mut(name);
    change(user.ok_or_else(|| NotDone::Unknown(name.clone()))?);
    Ok(())
}

fn unfit(error: &PasswordError) -> Failure {
    Failure::Failed(error.to_string())
}

/// Twice on a terminal, where it is not shown; or the first line of standard input.
fn ask(name: &UserName) -> Result<Password, Failure> {
    let failed = |cause: io::Error| Failure::failed("password", cause);
    if io::stdin().is_terminal() {
        let prompt = |text: String| {
            let typed = rpassword::prompt_password(text);
            typed.map(Zeroizing::new).map_err(failed)
        };
        let first = prompt(format!("Password of {name}: "))?;
        let second = prompt("Again: ".into())?;
        return match first == second {
            true => Ok(String::clone(&first).into()),
            false => Err(Failure::Failed("the two are not the same".into())),
        };
    }
    let mut text = Zeroizing::new(String::with_capacity(2 * MAX_PASSWORD));
    let limit = u64::try_from(2 * MAX_PASSWORD).unwrap_or(u64::MAX);
    io::stdin()
        .take(limit)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text.lines().next().unwrap_or_default().to_owned().into())
}
