//! Warnings about settings that are allowed but probably not intended: sentences for the log, each with what would be
//! right.

use std::path::Path;

use secrecy::ExposeSecret;

use super::reader::Reader;
use super::{Config, key, unknown, values};

pub(super) fn about(config: &Config, r: &Reader) -> Vec<String> {
    let mut warnings = Vec::new();
    let production = !config.debug;
    if config.debug && !values::is_loopback(&config.host) {
        warnings.push(
            "development mode is on although other machines can reach HOST; set DEBUG=false for real use".to_owned(),
        );
    }
    if production && config.mailbox {
        warnings.push("MAILBOX=true in production: every administrator can read all captured mail".to_owned());
    }
    if config.allowed_hosts.iter().any(|name| name == "*") {
        warnings.push(
            "ALLOWED_HOSTS has *, so any web page can send requests to this server under a name of its own (DNS \
             rebinding); list the host names instead"
                .to_owned(),
        );
    }
    if production && config.inbound_secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < 16) {
        warnings.push(
            "INBOUND_SECRET is short enough to be guessed; generate one with: openssl rand -base64 24".to_owned(),
        );
    }
    let keys = std::iter::once(&config.secret_key).chain(&config.previous_keys);
    if keys.map(ExposeSecret::expose_secret).any(key::is_guessable) {
        warnings.push(
            "SECRET_KEY or SECRET_KEY_PREVIOUS can be guessed, and with it every sign-in can be forged; generate one \
             with: openssl rand -base64 48"
                .to_owned(),
        );
    }
    warnings.extend(r.environment().iter().filter_map(|(name, value)| unknown::remark(name, value)));
    if !r.ignored().is_empty() {
        warnings.push(format!(".env has lines that are not settings of this version: {}", r.ignored().join(", ")));
    }
    warnings
}

/// Returns what is wrong with the process and its files, which is looked at when a server starts: it runs as root, or other
/// users of the machine can read data or secrets.
#[must_use]
pub fn surroundings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if runs_as_root() {
        warnings.push("the server runs as root; run it as a user of its own, who owns nothing but its data".to_owned());
    }
    let data = config.database.file().map(Path::to_owned);
    let log = data.as_ref().map(|file| {
        let mut name = file.as_os_str().to_owned();
        name.push("-wal");
        name.into()
    });
    let files = [data, log, Some(".env".into()), Some("taskflow.toml".into())];
    for file in files.into_iter().flatten().filter(|file: &std::path::PathBuf| key::everybody_may_read(file)) {
        let file = file.display();
        warnings.push(format!("other users of this machine can read {file}; run: chmod 600 {file}"));
    }
    warnings
}

/// Returns whether the process has the rights of the superuser; `false` where that cannot be found out.
fn runs_as_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}
