//! `pgseal-webconfig` under test, and somebody who is signed in to it.

use crate::ca::Identity;
use crate::daemon::{Config, Daemon};
use crate::dir::TestDir;
use crate::http::{Request, Response};
use crate::port::{Port, free_port};
use crate::process::Process;
use crate::program::{Finished, Program};

/// The name of the session's cookie where the page is served in clear.
const COOKIE: &str = "pgseal";

/// A running page. Dropping it kills it.
#[derive(Debug)]
pub struct Webconfig {
    daemon: Daemon,
    port: Port,
    config: TestDir,
}

/// A browser's part: the cookie that it holds.
#[derive(Clone, Debug)]
pub struct Browser {
    port: u16,
    /// `name=value`, as it is sent.
    pub cookie: String,
}

impl Webconfig {
    /// Starts a page over the servers at these ports of 127.0.0.1, with an admin's certificate and
    /// lines of TOML that add to its configuration. Nobody can sign in yet.
    pub fn start(identity: &Identity, servers: &[u16], lines: &[&str]) -> Self {
        let (port, dir) = (free_port(), TestDir::new("webconfig-users"));
        let servers: Vec<_> = servers.iter().map(|it| format!("127.0.0.1:{it}")).collect();
        let mut config = Config::default();
        config.set(&format!("listen = '127.0.0.1:{port}'"));
        config.set(&format!("servers = {servers:?}"));
        config.set_tls(identity);
        config.set(&format!("users_file = '{}'", dir.join("users").display()));
        lines.iter().for_each(|line| config.set(line));
        // The same for the orders that are given beside it.
        dir.write("config.toml", config.text());
        let ports = vec![port.number()];
        Self {
            daemon: Daemon::start("pgseal-webconfig", "webconfig", config, ports),
            port,
            config: dir,
        }
    }

    /// The page's port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The program with an order and the page's configuration.
    pub fn ordered(&self, arguments: &[&str]) -> Program {
        let program = Program::named("pgseal-webconfig").arg("--config");
        let program = program.arg(self.config.join("config.toml"));
        program.args(arguments)
    }

    /// Gives the program an order with the page's configuration, and this on its standard input.
    #[track_caller]
    pub fn order(&self, arguments: &[&str], input: &str) -> Finished {
        self.ordered(arguments).input(input).run()
    }

    /// Adds a user.
    #[track_caller]
    pub fn add_user(&self, name: &str, role: &str, password: &str) {
        self.order(&["user", "add", name, "--role", role], password)
            .success();
    }

    /// Adds a user and signs it in.
    #[track_caller]
    pub fn user(&self, name: &str, role: &str) -> Browser {
        let password = format!("the password of {name}");
        self.add_user(name, role, &password);
        let answer = self.sign_in(name, &password);
        assert_eq!(answer.status, 303, "{answer:?}");
        self.browser(&answer)
    }

    /// The browser that an answer gave a session.
    #[track_caller]
    pub fn browser(&self, answer: &Response) -> Browser {
        let cookie = set_cookie(answer, COOKIE);
        Browser {
            port: self.port(),
            cookie: cookie.unwrap_or_else(|| panic!("no session: {answer:?}")),
        }
    }

    /// Sends the sign-in form as a browser does, after it was asked for.
    #[track_caller]
    pub fn sign_in(&self, name: &str, password: &str) -> Response {
        self.sign_in_with(name, password, &[])
    }

    /// The same with more fields.
    #[track_caller]
    pub fn sign_in_with(&self, name: &str, password: &str, more: &[(&str, &str)]) -> Response {
        let form = Request::get("/sign-in").send(self.port());
        let cookie = set_cookie(&form, "pgseal-form").expect("the form has a cookie");
        let token = hidden(form.text(), "token");
        let fields = [
            ("token", token.as_str()),
            ("name", name),
            ("password", password),
        ];
        let fields = fields.iter().chain(more);
        let fields: Vec<_> = fields
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        post("/sign-in", &fields)
            .header("Cookie", &cookie)
            .send(self.port())
    }

    /// Changes lines of its configuration and asks it to read that again (SIGHUP).
    pub fn reconfigure(&mut self, lines: &[&str]) {
        self.daemon.reconfigure(lines);
    }

    /// Changes lines of its configuration, asks it to read that again, and waits until it has
    /// taken it over.
    #[track_caller]
    pub fn apply(&mut self, lines: &[&str]) {
        self.daemon.apply(lines);
    }

    /// Changes lines of its configuration and does not tell it.
    pub fn configure(&mut self, lines: &[&str]) {
        self.daemon.configure(lines);
    }

    /// Has it leave its place to another process (SIGUSR2), and gives the one that was there, with its
    /// sessions.
    #[track_caller]
    pub fn hand_over(&mut self) -> Process {
        self.daemon.hand_over()
    }

    /// Kills it if it still runs, and starts it again at the same port.
    pub fn restart(&mut self) {
        self.daemon.restart();
    }

    /// Its process: logs, signals, memory.
    pub fn process(&self) -> &Process {
        self.daemon.process()
    }
}

impl Browser {
    /// Asks for a page.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.send(Request::get(path))
    }

    /// Sends a request with the cookie.
    #[track_caller]
    pub fn send(&self, request: Request) -> Response {
        request.header("Cookie", &self.cookie).send(self.port)
    }

    /// Fills in a form of a page, whose hidden fields `token` and `number` it has, and sends it.
    #[track_caller]
    pub fn fill_in(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Response {
        let shown = self.get(page);
        assert_eq!(shown.status, 200, "{shown:?}");
        let own = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let hidden = ["token", "number"].map(|name| (name, hidden(shown.text(), name)));
        let fields: Vec<_> = hidden.into_iter().chain(own).collect();
        self.send(post(action, &fields))
    }
}

/// A form that is sent.
pub fn post(path: &str, fields: &[(&str, String)]) -> Request {
    let pairs = fields.iter().map(|(name, value)| {
        let escaped = value.bytes().map(|byte| format!("%{byte:02x}"));
        format!("{name}={}", escaped.collect::<String>())
    });
    let body = pairs.collect::<Vec<_>>().join("&");
    let kind = "application/x-www-form-urlencoded";
    Request::post(path).header("Content-Type", kind).body(body)
}

/// The value of the first hidden field of this name; empty where there is none.
pub fn hidden(page: &str, name: &str) -> String {
    let begins = format!("name=\"{name}\" value=\"");
    let value = page
        .split_once(&begins)
        .and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

/// `name=value` of a cookie that an answer sets.
fn set_cookie(answer: &Response, name: &str) -> Option<String> {
    let set = answer.headers.iter().filter(|(key, _)| key == "set-cookie");
    let mut pairs = set.filter_map(|(_, line)| line.split(';').next());
    let pair = pairs.find(|pair| pair.starts_with(&format!("{name}=")));
    pair.map(str::to_owned)
}
