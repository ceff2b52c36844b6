//! PostgreSQL for tests: a throwaway cluster made from installed binaries, and a fresh database for each test.
//!
//! * The binaries are those in `PG_BINDIR`, else the newest of Debian's folders, else those on the path. On Debian, as
//!   root, a machine without them gets them from its packages; elsewhere the tests fail and say what to install.
//! * The cluster speaks over a socket in its own folder, and on a loopback port when asked to. It ends with the process
//!   that started it, however that ends: a shell watches a pipe which only that process holds.
//! * `TASKFLOW_TEST_DATABASE_URL` names a server to use instead; its user must be able to create databases.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::wait::holds_within;

const INSTALL_HINT: &str = "no PostgreSQL server was found, and these tests need one (15 or later): install it \
    (Debian: apt-get install postgresql, Fedora: dnf install postgresql-server, macOS: brew install postgresql), or say \
    where it is with PG_BINDIR=/path/to/bin or TASKFLOW_TEST_DATABASE_URL=postgres://user@host/database";

/// A database of one test. It ends with the cluster, and on somebody else's server when it is dropped.
pub struct Database {
    /// For whoever wants to connect.
    pub url: String,
    name: String,
    admin: Option<PgConnectOptions>,
}

impl Database {
    /// A new, empty database on the shared cluster.
    pub async fn empty() -> Self {
        Server::shared().await.database("template0").await
    }

    /// A new database that was migrated, by `migrate` the first time and as a copy from then on. On somebody else's
    /// server nothing may stay behind, so that each is migrated there.
    pub async fn migrated<F: Future<Output = ()>>(migrate: impl FnOnce(String) -> F) -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server = Server::shared().await;
        if server.foreign {
            let database = server.database("template0").await;
            migrate(database.url.clone()).await;
            return database;
        }
        let template = TEMPLATE.get_or_init(|| async {
            let template = server.database("template0").await;
            migrate(template.url.clone()).await;
            template.name.clone()
        });
        server.database(template.await).await
    }

    /// A connection that is none of the store's.
    pub async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("a connection")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(admin) = self.admin.take() else { return };
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // Dropping cannot wait, and the runtime of the test may be about to end.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { admin.connect().await?.execute(AssertSqlSafe(drop)).await })?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("the database {} stays: {error}", self.name);
        }
    }
}

/// The server on which databases are created.
struct Server {
    url: String,
    /// Somebody else's server keeps nothing of ours.
    foreign: bool,
}

impl Server {
    async fn shared() -> &'static Self {
        static SERVER: OnceCell<Server> = OnceCell::const_new();
        SERVER
            .get_or_init(|| async {
                match std::env::var("TASKFLOW_TEST_DATABASE_URL") {
                    Ok(url) => Self { url, foreign: true },
                    Err(_) => {
                        let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
                        let url = cluster.url("postgres");
                        // It ends with the process: see `Cluster`.
                        std::mem::forget(cluster);
                        Self { url, foreign: false }
                    }
                }
            })
            .await
    }

    async fn database(&self, template: &str) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("taskflow_test_{}_{number}", std::process::id());
        let admin: PgConnectOptions = self.url.parse().expect("a URL of PostgreSQL");
        let mut conn = admin.connect().await.expect("the server that tests use answers");
        // The strategy and the locale are those of the template: nothing to sort or to convert.
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        conn.execute(AssertSqlSafe(create)).await.expect("a new database");
        conn.close().await.expect("closed");
        Database { url: with_database(&self.url, &name), name, admin: self.foreign.then_some(admin) }
    }
}

/// The URL of another database of the same server.
fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) =
        url.split_once('?').map_or((url, String::new()), |(url, rest)| (url, format!("?{rest}")));
    let host = address.find("://").map_or(0, |scheme| scheme + 3);
    let end = address[host..].find('/').map_or(address.len(), |path| host + path);
    format!("{}/{database}{parameters}", &address[..end])
}

/// A PostgreSQL cluster in a folder of its own.
pub struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    settings: Vec<String>,
    environment: Vec<(&'static str, String)>,
    port: Option<u16>,
    /// The shell that watches over the server; absent while it is stopped.
    watcher: Option<Child>,
}

/// The way in which a server is stopped.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// As an administrator ends it: sessions are cut, everything is written down.
    Fast,
    /// As a crash: nothing is written down, and the next start recovers.
    Crash,
}

impl Cluster {
    /// Makes and starts a cluster that survives a crash of its processes, though not of the machine.
    pub fn start() -> Self {
        Self::start_with(&["fsync=off", "full_page_writes=off"], None)
    }

    /// The same with a loopback port, for those who cannot use a socket.
    pub fn start_on_loopback() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        Self::start_with(&["fsync=off", "full_page_writes=off"], Some(free.port()))
    }

    /// The same with settings of `postgresql.conf`.
    pub fn start_with(settings: &[&str], port: Option<u16>) -> Self {
        Self::start_in(settings, port, Vec::new())
    }

    /// The same with variables in the environment of the server.
    pub fn start_in(settings: &[&str], port: Option<u16>, environment: Vec<(&'static str, String)>) -> Self {
        let binaries = binaries();
        let folder = TempDir::with_prefix("taskflow-pg-").expect("a folder");
        let mut settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        settings.extend(["max_connections=200", "shared_buffers=64MB", "log_min_messages=warning"].map(str::to_owned));
        settings.push(format!("unix_socket_directories={}", folder.path().display()));
        match port {
            Some(port) => settings.extend(["listen_addresses=127.0.0.1".to_owned(), format!("port={port}")]),
            None => settings.push("listen_addresses=".to_owned()),
        }
        let mut cluster = Self { folder, binaries, settings, environment, port, watcher: None };
        if let Some((user, group)) = unprivileged() {
            std::os::unix::fs::chown(cluster.folder.path(), Some(user), Some(group)).expect("a folder of the server's");
        }
        let made = cluster
            .command("initdb")
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres"])
            .arg("--pgdata")
            .arg(cluster.data())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        cluster.resume();
        cluster
    }

    /// Returns the URL of a database in this cluster.
    pub fn url(&self, database: &str) -> String {
        match self.port {
            Some(port) => format!("postgres://postgres@127.0.0.1:{port}/{database}"),
            None => format!("postgres://postgres@localhost/{database}?host={}", self.folder.path().display()),
        }
    }

    /// The socket it listens on.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(format!(".s.PGSQL.{}", self.port.unwrap_or(5432)))
    }

    /// Starts the server again, and waits until it answers.
    pub fn resume(&mut self) {
        assert!(self.watcher.is_none(), "it runs already");
        let log = fs::File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        let mut server = format!("exec '{}' -D '{}'", self.binaries.join("postgres").display(), self.data().display());
        for setting in &self.settings {
            server.push_str(&format!(" -c '{setting}'"));
        }
        // The shell reads how the server shall end. When the pipe closes, nobody is left who could say, and nobody who
        // would remove the folder.
        let watch = format!(
            "({server}) </dev/null & server=$!
            if read -r signal; then kill -\"$signal\" $server; wait $server
            else kill -QUIT $server; wait $server; rm -rf '{}'; fi",
            self.folder.path().display()
        );
        let mut command = self.as_server(Command::new("sh"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(["-c", &watch]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        // A group of its own: a Ctrl-C is for the tests, and the shell learns of it by the pipe.
        self.watcher = Some(command.process_group(0).spawn().expect("a shell"));
        let is_ready = || {
            let mut ready = self.command("pg_isready");
            ready.arg("-q").arg("-h").arg(self.folder.path());
            if let Some(port) = self.port {
                ready.args(["-p", &port.to_string()]);
            }
            ready.status().expect("pg_isready runs").success()
        };
        let started = holds_within(Duration::from_secs(30), is_ready);
        assert!(started, "the server did not start:\n{}", self.log());
    }

    /// Ends the server, and waits until it has ended.
    pub fn stop(&mut self, how: Stop) {
        let Some(mut watcher) = self.watcher.take() else { return };
        let signal: &[u8] = match how {
            Stop::Fast => b"INT\n",
            Stop::Crash => b"QUIT\n",
        };
        let told = watcher.stdin.take().map(|mut pipe| pipe.write_all(signal));
        assert!(told.is_some_and(|told| told.is_ok()), "nobody watched over the server:\n{}", self.log());
        watcher.wait().expect("the shell ends");
    }

    /// Returns the log of the server.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn command(&self, binary: &str) -> Command {
        self.as_server(Command::new(self.binaries.join(binary)))
    }

    /// The server refuses to run as root.
    fn as_server(&self, mut command: Command) -> Command {
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(Stop::Crash);
    }
}

/// Returns the folder of the server's binaries. On Debian, as root, missing binaries are installed.
fn binaries() -> PathBuf {
    if let Ok(folder) = std::env::var("PG_BINDIR") {
        assert!(Path::new(&folder).join("postgres").exists(), "PG_BINDIR={folder} has no postgres: {INSTALL_HINT}");
        return folder.into();
    }
    if let Some(found) = installed() {
        return found;
    }
    if is_root() && Path::new("/usr/bin/apt-get").exists() {
        install();
    }
    installed().unwrap_or_else(|| panic!("{INSTALL_HINT}"))
}

fn installed() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let folders = versions.into_iter().rev().map(|(_, folder)| folder).chain(on_path.into_iter().flatten());
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Installs the server from the system's packages.
fn install() {
    eprintln!("no PostgreSQL server was found: installing it (apt-get install postgresql)");
    for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", "postgresql"]] {
        let status = Command::new("apt-get")
            .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status();
        if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            panic!("apt-get {arguments:?}: {status:?}; {INSTALL_HINT}");
        }
    }
}

/// User and group for the server when we are root: `postgres`, else `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    if !is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("a list of users");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user for the server: postgres or nobody"))
}

fn is_root() -> bool {
    // Whose the process is is whose its folder in /proc is.
    fs::metadata("/proc/self").is_ok_and(|folder| std::os::unix::fs::MetadataExt::uid(&folder) == 0)
}
