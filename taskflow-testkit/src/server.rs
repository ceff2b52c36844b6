//! The real binary as a process of its own, in a folder of its own.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::Database;

/// A port that nobody listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// The binary with nothing in its environment but these settings, run in `folder`.
pub fn taskflow(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder).env_clear().envs(settings.iter().copied()).stdin(Stdio::null());
    command
}

/// The binary that cargo built for the tests that run: it lies beside the folder of their own.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test");
    let built = own.ancestors().nth(2).expect("a folder of the build").join("taskflow");
    assert!(built.exists(), "{} does not exist: only tests of the package `taskflow` run it", built.display());
    built
}

/// The jobs that send mail at certain times of the day. They are off unless a test sets them: others would get more mail
/// than they expect when they run, or turn their clocks, across such a time.
const BY_THE_WALL_CLOCK: [&str; 2] = ["JOB_TASK_REMINDERS", "JOB_DAILY_SUMMARIES"];

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    /// Port that it listens on, on loopback.
    pub port: u16,
    /// Its working directory.
    pub folder: PathBuf,
    /// Held so that the folder lives as long as the server.
    home: Option<TempDir>,
    /// Set for every start, and held for as long.
    database: Option<Database>,
    /// A client without a proxy.
    pub client: Client,
}

impl Server {
    /// Starts with an empty folder and these settings besides the port, and waits until it answers.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let home = TempDir::new().expect("a folder");
        let own = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self::start_in(home.path().to_owned(), Some(home), None, own).await
    }

    /// The same on a database of PostgreSQL.
    pub async fn start_on(database: Database, settings: &[(&str, &str)]) -> Self {
        let home = TempDir::new().expect("a folder");
        let own = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self::start_in(home.path().to_owned(), Some(home), Some(database), own).await
    }

    /// Starts again in the same folder with other settings.
    pub async fn restart(mut self, settings: &[(&str, &str)]) -> Self {
        self.kill();
        let own = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let (home, database) = (self.home.take(), self.database.take());
        Self::start_in(self.folder.clone(), home, database, own).await
    }

    async fn start_in(
        folder: PathBuf,
        home: Option<TempDir>,
        database: Option<Database>,
        settings: Vec<(String, String)>,
    ) -> Self {
        let port = free_port();
        let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log file");
        let mut command = taskflow(&folder, &[("PORT", &port.to_string())]);
        if let Some(database) = &database {
            command.env("DATABASE_URL", &database.url);
        }
        command.envs(BY_THE_WALL_CLOCK.map(|job| (job, "off")));
        // Tests do more from one address than people: those of the limits turn them on.
        command.env("RATE_LIMITS", "off");
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let error_log = log.try_clone().expect("a log file");
        let child = command.stdout(log).stderr(error_log).spawn().expect("the server starts");
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut server = Self { child, port, folder, home, database, client };
        let health = server.url("/health");
        let client = server.client.clone();
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let waiting = async {
            loop {
                ticks.tick().await;
                if let Some(status) = server.child.try_wait().expect("a process") {
                    panic!("the server ended with {status}:\n{}", server.log());
                }
                if client.get(&health).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the server gets ready");
        server
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the URL of the database, for another process that uses it.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url.clone(),
            None => format!("sqlite://{}", self.folder.join("taskflow.db").display()),
        }
    }

    /// Its number among the processes of this machine.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("a dead process");
        crate::faketime::forget(self.child.id());
    }

    /// Sends it a signal by name, as `kill` knows it.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().expect("kill").success());
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub async fn terminate(mut self) -> (ExitStatus, String) {
        (self.stop().await, self.log())
    }

    /// The same for a server that is to start again.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let waiting = async {
            loop {
                ticks.tick().await;
                if let Some(status) = self.child.try_wait().expect("a process") {
                    return status;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it ends within 30 s")
    }

    /// Begins a request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// Sends `GET`.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    /// Sends `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.request(Method::POST, path).json(&body).send().await.expect("an answer")
    }

    /// Registers `name` with an address of the same name and signs in.
    pub async fn person(&self, name: &str) -> Person<'_> {
        let registration = json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let answer = self.post("/api/auth/register", registration).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap_or_default());
        self.sign_in(name, PASSWORD).await
    }

    /// Signs in by name and password.
    pub async fn sign_in(&self, name: &str, password: &str) -> Person<'_> {
        let answer = self.post("/api/auth/login", json!({ "username": name, "password": password })).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer: Value = answer.json().await.expect("JSON");
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        Person { server: self, token }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        crate::faketime::forget(self.child.id());
        if !std::thread::panicking() {
            let undocumented = undocumented(&self.log());
            assert!(undocumented.is_empty(), "docs/openapi.json does not name these answers: {undocumented:?}");
        }
    }
}

/// Returns the answers in a log, as `GET /api/nodes 404`, of operations whose documentation does not name their status.
fn undocumented(log: &str) -> Vec<String> {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        let text = include_str!("../../docs/openapi.json");
        serde_json::from_str(text).expect("the document")
    });
    let requests = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let requests = requests.filter(|line| line["message"] == "request");
    let mut found = Vec::new();
    for line in requests {
        let (Some(method), Some(path)) = (line["method"].as_str(), line["path"].as_str()) else { continue };
        // Whoever may read may ask for the headers alone.
        let operation = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        let Some(responses) = DOCUMENT["paths"][path][operation]["responses"].as_object() else { continue };
        let status = line["status"].to_string();
        // 499 is no answer: the client went away.
        if status != "499" && !responses.contains_key(&status) {
            found.push(format!("{method} {path} {status}"));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn an_answer_that_the_document_does_not_name_is_found() {
    let line = |path: &str, status: u16| {
        json!({ "message": "request", "method": "GET", "path": path, "status": status }).to_string()
    };
    let log = [line("/api/tasks/{id}", 200), line("/api/tasks/{id}", 418), line("/nowhere", 404)].join("\n");
    assert_eq!(undocumented(&log), ["GET /api/tasks/{id} 418"]);
}

/// The password of everybody in these tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// Somebody who is signed in.
pub struct Person<'a> {
    server: &'a Server,
    /// Access token.
    pub token: String,
}

impl Person<'_> {
    /// Begins a request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.request(method, path).bearer_auth(&self.token)
    }

    /// Sends a request and tells status and JSON body (null when there is none).
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
    }

    /// Sends `GET`, and returns status and JSON body.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, None).await
    }

    /// Makes a task and tells it.
    pub async fn task(&self, task: Value) -> Value {
        let (status, task) = self.call(Method::POST, "/api/tasks/", Some(task)).await;
        assert_eq!(status, StatusCode::CREATED, "{task}");
        task
    }

    /// Calls a meeting and tells it.
    pub async fn meeting(&self, meeting: Value) -> Value {
        let (status, meeting) = self.call(Method::POST, "/api/meetings/", Some(meeting)).await;
        assert_eq!(status, StatusCode::CREATED, "{meeting}");
        meeting
    }
}
