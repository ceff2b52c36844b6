//! `smtp-source` and `smtp-sink`.

use std::io::{Error, Result};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::process::Child;

/// The unpacked package.
pub(crate) struct Postfix {
    root: PathBuf,
}

/// A relay that throws everything away. Dropping it ends it.
pub(crate) struct Sink {
    pub(crate) port: u16,
    _process: Child,
}

impl Postfix {
    /// Where it was unpacked, or is now.
    pub(crate) fn find() -> Result<Self> {
        if let Some(root) = std::env::var_os("SMTP_BENCH_POSTFIX") {
            return Ok(Self { root: root.into() });
        }
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postfix");
        let root = cache.join("unpacked");
        if !root.join("usr/sbin/smtp-sink").exists() {
            std::fs::create_dir_all(&cache)?;
            run(Command::new("apt-get").args(["download", "postfix"]).current_dir(&cache))?;
            let package = std::fs::read_dir(&cache)?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
                .ok_or_else(|| Error::other("apt-get downloaded no package"))?;
            run(Command::new("dpkg").arg("-x").arg(package).arg(&root))?;
        }
        Ok(Self { root })
    }

    /// Starts a relay that offers PIPELINING or not.
    pub(crate) async fn sink(&self, pipelining: bool) -> Result<Sink> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = tokio::process::Command::from(self.program("smtp-sink"));
        if !pipelining {
            command.arg("-p");
        }
        // It wants to be somebody without rights where it could be root.
        if std::env::var_os("USER").is_none_or(|user| user == "root") {
            command.args(["-u", "nobody"]);
        }
        command.arg(format!("127.0.0.1:{port}")).arg("1000");
        let process = command.kill_on_drop(true).spawn()?;
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(Sink { port, _process: process });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Error::other("smtp-sink does not listen"))
    }

    /// Sends that many mails and says how many there were per second.
    pub(crate) async fn source(&self, port: u16, sessions: usize, mails: u32, length: usize) -> Result<f64> {
        let mut command = tokio::process::Command::from(self.program("smtp-source"));
        command.args(["-d", "-s", &sessions.to_string(), "-m", &mails.to_string(), "-l", &length.to_string()]).args([
            "-f",
            "tasks@sender.example",
            "-t",
            "ada@reader.example",
            &format!("127.0.0.1:{port}"),
        ]);
        let began = Instant::now();
        let status = command.status().await?;
        let elapsed = began.elapsed();
        match status.success() {
            true => Ok(f64::from(mails) / elapsed.as_secs_f64()),
            false => Err(Error::other("smtp-source failed")),
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.root.join("usr/sbin").join(name));
        command.env("LD_LIBRARY_PATH", self.root.join("usr/lib/postfix")).stdin(Stdio::null());
        command
    }
}

fn run(command: &mut Command) -> Result<()> {
    match command.stdout(Stdio::null()).status()?.success() {
        true => Ok(()),
        false => Err(Error::other(format!("{} failed", command.get_program().display()))),
    }
}
