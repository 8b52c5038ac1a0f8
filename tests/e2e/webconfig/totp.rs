//! Codes of a telephone beside the password. They are made by a program of its own: Python's HMAC.

use harness::http::Request;
use harness::{Finished, Program, python, root};

use super::*;

const PASSWORD: &str = "correct horse battery";

/// As the page's users have it.
struct Telephone {
    uri: String,
}

fn script(arguments: &[&str]) -> Program {
    let script = root().join("tests/e2e/webconfig/totp.py");
    python([script.display().to_string()]).args(arguments)
}

/// Enrols on a terminal, with a code of the time in so many periods.
fn enrol(page: &Webconfig, name: &str, steps: &str) -> Finished {
    let order = page.ordered(&["user", "totp", name]);
    order.under(script(&["enrol", steps])).run()
}

impl Telephone {
    #[track_caller]
    fn enrolled(page: &Webconfig, name: &str) -> Self {
        let said = enrol(page, name, "0").success();
        let mut words = said.split_whitespace();
        let uri = words.find(|word| word.starts_with("otpauth://"));
        let uri = uri.unwrap_or_else(|| panic!("no URI: {said}")).to_owned();
        assert!(
            uri.starts_with(&format!("otpauth://totp/pgseal:{name}?secret=")),
            "{uri}"
        );
        // It is drawn, too: lines of half blocks.
        assert!(said.matches('▄').count() > 50, "{said}");
        Self { uri }
    }

    /// What it shows in so many periods.
    fn code(&self, steps: &str) -> String {
        let said = script(&["code", &self.uri, steps]).run().success();
        said.trim().to_owned()
    }
}

fn sign_in(page: &Webconfig, password: &str, code: &str) -> Response {
    page.sign_in_with("alice", password, &[("code", code)])
}

/// What is said, without what is another each time.
#[track_caller]
fn refused(answer: &Response) -> String {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(
        answer
            .headers
            .iter()
            .all(|(_, value)| !value.starts_with("pgseal="))
    );
    let text = answer.text();
    text.replace(&harness::webconfig::hidden(text, "token"), "")
}

#[test]
fn whoever_has_codes_signs_in_with_one_that_was_not_used() {
    let page = alone(&[]);
    page.add_user("alice", "operator", PASSWORD);
    assert!(
        !Request::get("/sign-in")
            .send(page.port())
            .text()
            .contains("id=\"code\"")
    );
    let telephone = Telephone::enrolled(&page, "alice");
    let form = Request::get("/sign-in").send(page.port());
    assert!(form.text().contains("autocomplete=\"one-time-code\""));

    let code = telephone.code("0");
    let wrong_password = refused(&sign_in(&page, "correct horse batterz", &code));
    assert!(wrong_password.contains("do not belong together"));
    assert_eq!(refused(&page.sign_in("alice", PASSWORD)), wrong_password);
    // Of a time that is not near.
    assert_eq!(
        refused(&sign_in(&page, PASSWORD, &telephone.code("9"))),
        wrong_password
    );
    // Those failures did not use it up.
    leads_to(&sign_in(&page, PASSWORD, &code), "/");
    assert_eq!(
        refused(&sign_in(&page, PASSWORD, &code)),
        wrong_password,
        "again"
    );
    // The next one is there for clocks that are ahead.
    leads_to(&sign_in(&page, PASSWORD, &telephone.code("1")), "/");
    assert_eq!(
        refused(&sign_in(&page, PASSWORD, &code)),
        wrong_password,
        "an older one"
    );

    let log = page.process().log();
    assert!(
        log.contains("the password was right, and the code was not user=alice"),
        "{log}"
    );
    assert!(!log.contains(&code) && !log.contains("secret="), "{log}");
}

#[test]
fn codes_are_asked_of_those_that_have_set_them_up_and_of_nobody_else() {
    let page = alone(&[]);
    let alice = page.user("alice", "operator");
    page.add_user("bob", "viewer", PASSWORD);
    // Nothing holds before a code was right.
    let failed = enrol(&page, "alice", "9");
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stdout.contains("nothing was changed"), "{failed:?}");
    assert_eq!(alice.get("/").status, 200);
    let unknown = page.order(&["user", "totp", "carol"], "");
    assert_eq!(
        (unknown.code, unknown.stdout.as_str()),
        (Some(1), ""),
        "{unknown:?}"
    );

    Telephone::enrolled(&page, "alice");
    leads_to(&alice.get("/"), "/sign-in");
    refused(&page.sign_in("alice", "the password of alice"));
    leads_to(&page.sign_in("bob", PASSWORD), "/");
    let listed = page.order(&["user", "list"], "").success();
    assert_eq!(listed, "operator  alice  (and a code)\nviewer    bob\n");
    page.order(&["user", "totp", "alice", "--off"], "")
        .success();
    leads_to(&page.sign_in("alice", "the password of alice"), "/");
}

#[test]
fn wrong_codes_slow_down_as_wrong_passwords_do_and_then_no_code_is_looked_at() {
    let page = alone(&[]);
    page.add_user("alice", "operator", PASSWORD);
    let telephone = Telephone::enrolled(&page, "alice");
    let (wrong, right) = (telephone.code("9"), telephone.code("0"));
    let guess = |_| {
        let begun = Instant::now();
        refused(&sign_in(&page, PASSWORD, &wrong));
        begun.elapsed()
    };
    let waited: Vec<_> = (0..5).map(guess).collect();
    assert!(waited[3] >= Duration::from_millis(250), "{waited:?}");
    assert!(waited[4] >= Duration::from_millis(500), "{waited:?}");
    refused(&sign_in(&page, PASSWORD, &right));
    let forgotten = page.order(&["user", "totp", "alice", "--off"], "");
    forgotten.success();
    leads_to(&page.sign_in("alice", PASSWORD), "/");
}
