//! Who is signed in. In memory alone: a restart signs everybody out.
//!
//! A session is found by the hash of its token, which only the browser has. It ends when nobody has
//! asked for a page for a while, after a time in any case, when its user signs out, and when the user's
//! line in the file is another than at sign-in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::token::{Token, TokenHash};
use crate::users::{Role, User, UserName, Users};

/// Sessions of one user: a further one ends the oldest.
const MAX_OF_ONE: usize = 16;

/// Somebody who is signed in.
pub struct Session {
    /// Who.
    pub name: UserName,
    /// What it may do.
    pub role: Role,
    /// What each of its forms holds: other sites cannot know it.
    pub form_token: Token,
    /// Its line of the users' file when it signed in.
    user: User,
    began: Instant,
    times: Mutex<Times>,
}

struct Times {
    /// When a page was asked for last.
    used: Instant,
    /// What the next page tells.
    notice: Option<String>,
}

/// All of them.
pub struct Sessions {
    timeout: Duration,
    lifetime: Duration,
    by_token: Mutex<HashMap<TokenHash, Arc<Session>>>,
}

impl Session {
    /// Has the next page tell this.
    pub fn notify(&self, notice: String) {
        self.times().notice = Some(notice);
    }

    /// What this page is to tell; once.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.times().notice.take()
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// None yet. They end after `timeout` without a page, and after `lifetime`.
    #[must_use]
    pub fn new(timeout: Duration, lifetime: Duration) -> Self {
        Self {
            timeout,
            lifetime,
            by_token: Mutex::default(),
        }
    }

    /// Begins one for a user whose password was right. The token is new: none that a browser had before
    /// becomes somebody's.
    pub fn begin(&self, name: UserName, user: User, now: Instant) -> Token {
        let token = Token::new();
        let session = Session {
            role: user.role,
            form_token: Token::new(),
            user,
            began: now,
            times: Mutex::new(Times {
                used: now,
                notice: None,
            }),
            name: name.clone(),
        };
        let mut all = self.lock();
        all.retain(|_, session| self.lasts(session, now));
        let of_user = all.iter().filter(|(_, session)| session.name == name);
        let count = of_user.clone().count();
        let oldest = of_user.min_by_key(|(_, session)| session.began);
        if let (MAX_OF_ONE.., Some(oldest)) = (count, oldest.map(|(token, _)| *token)) {
            all.remove(&oldest);
        }
        all.insert(TokenHash::of(token.expose_secret()), Arc::new(session));
        token
    }

    /// The session of a token that came, of a user that the file has as it had at sign-in. `uses` it: a
    /// page was asked for.
    #[must_use]
    pub fn find(
        &self,
        token: TokenHash,
        users: &Users,
        now: Instant,
        uses: bool,
    ) -> Option<Arc<Session>> {
        let mut all = self.lock();
        let session = all.get(&token)?.clone();
        let is_same = users
            .get(&session.name)
            .is_some_and(|it| *it == session.user);
        if !is_same || !self.lasts(&session, now) {
            all.remove(&token);
            return None;
        }
        if uses {
            session.times().used = now;
        }
        Some(session)
    }

    /// Ends one.
    pub fn end(&self, token: TokenHash) {
        self.lock().remove(&token);
    }

    /// Ends all of a user.
    pub fn end_all_of(&self, name: &UserName) {
        self.lock().retain(|_, session| session.name != *name);
    }

    fn lasts(&self, session: &Session, now: Instant) -> bool {
        now.saturating_duration_since(session.times().used) < self.timeout
            && now.saturating_duration_since(session.began) < self.lifetime
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Arc<Session>>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Kept;
    use crate::totp::Secret;

    const MINUTE: Duration = Duration::from_secs(60);

    fn user(hash: &str) -> User {
        let phc = format!("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ${hash}");
        User {
            role: Role::Operator,
            password: Kept::read(&phc).unwrap(),
            secret: None,
        }
    }

    struct Stand {
        sessions: Sessions,
        users: Users,
        begun: Instant,
    }

    impl Stand {
        fn new() -> Self {
            let name = |name: &str| name.parse::<UserName>().unwrap();
            let first = user("Q2hhbmdlbWVDaGFuZ2VtZQ");
            Self {
                sessions: Sessions::new(30 * MINUTE, 60 * MINUTE),
                users: [(name("alice"), first.clone()), (name("bob"), first)].into(),
                begun: Instant::now(),
            }
        }

        fn begin(&self, name: &str, after: Duration) -> TokenHash {
            let name: UserName = name.parse().unwrap();
            let user = self.users[&name].clone();
            let token = self.sessions.begin(name, user, self.begun + after);
            TokenHash::of(token.expose_secret())
        }

        fn is_there(&self, token: TokenHash, after: Duration, uses: bool) -> bool {
            let now = self.begun + after;
            self.sessions.find(token, &self.users, now, uses).is_some()
        }
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_after_its_lifetime() {
        let stand = Stand::new();
        let idle = stand.begin("alice", Duration::ZERO);
        let used = stand.begin("alice", Duration::ZERO);
        assert!(stand.is_there(idle, 29 * MINUTE, false));
        assert!(stand.is_there(used, 29 * MINUTE, true));
        assert!(!stand.is_there(idle, 30 * MINUTE, true));
        assert!(!stand.is_there(idle, 29 * MINUTE, true), "for good");
        assert!(stand.is_there(used, 58 * MINUTE, true));
        assert!(!stand.is_there(used, 60 * MINUTE, true));
    }

    #[test]
    fn a_user_signs_out_here_or_everywhere_and_nobody_else_with_it() {
        let stand = Stand::new();
        let begin = |name| stand.begin(name, Duration::ZERO);
        let (here, there, bob) = (begin("alice"), begin("alice"), begin("bob"));
        let is_there = |token| stand.is_there(token, MINUTE, true);
        stand.sessions.end(here);
        assert!(!is_there(here) && is_there(there) && is_there(bob));
        stand.sessions.end_all_of(&"alice".parse().unwrap());
        assert!(!is_there(there) && is_there(bob));
    }

    #[test]
    fn another_password_role_or_secret_or_none_ends_the_sessions_of_a_user() {
        let changes: [fn(&mut User); 3] = [
            |it| it.secret = Some(Secret::new()),
            |it| it.role = Role::Viewer,
            |it| *it = user("Q2hhbmdlbWVDaGFuZ2VtZg"),
        ];
        for change in changes {
            let mut stand = Stand::new();
            let token = stand.begin("alice", Duration::ZERO);
            stand.users.values_mut().for_each(change);
            assert!(!stand.is_there(token, MINUTE, true));
        }
        let mut stand = Stand::new();
        let token = stand.begin("alice", Duration::ZERO);
        stand.users.clear();
        assert!(!stand.is_there(token, MINUTE, true));
    }

    #[test]
    fn of_too_many_sessions_of_one_user_the_oldest_ends() {
        let stand = Stand::new();
        let bob = stand.begin("bob", Duration::ZERO);
        let begin = |second| stand.begin("alice", Duration::from_secs(second));
        let tokens: Vec<_> = (1..=MAX_OF_ONE as u64 + 1).map(begin).collect();
        let is_there = |token: &TokenHash| stand.is_there(*token, MINUTE, true);
        assert!(!is_there(&tokens[0]) && is_there(&bob));
        assert!(tokens[1..].iter().all(is_there));
    }

    #[test]
    fn a_notice_is_told_once() {
        let stand = Stand::new();
        let token = stand.begin("alice", Duration::ZERO);
        let session = stand.sessions.find(token, &stand.users, stand.begun, true);
        let session = session.unwrap();
        session.notify("done".into());
        assert_eq!(session.notice().as_deref(), Some("done"));
        assert_eq!(session.notice(), None);
    }
}
