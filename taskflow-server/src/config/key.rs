//! The key that signs sign-ins: given, or made once in development and kept in a file beside the data.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use uuid::Uuid;

use super::Database;

/// Fewer bytes do not fill the key of HMAC-SHA256 (RFC 7518 §3.2).
pub(super) const MIN_BYTES: usize = 32;

/// Keys that stand in documents, so that everybody knows them.
const SAMPLES: [&str; 4] =
    ["your-super-secret-key-change-this-in-production", "your-secret-key", "changeme", "change-me"];

/// The source of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// `SECRET_KEY`.
    Given,
    /// Made now and kept in this file.
    Created(PathBuf),
    /// Found in this file.
    Kept(PathBuf),
    /// Made now and kept nowhere: sign-ins end with the process.
    Ephemeral,
}

/// The reason why a key is refused: what is wrong, and what would be right.
pub(super) type Refusal = (String, String);

/// Checks a key that was given.
pub(super) fn check(key: &str) -> Result<(), Refusal> {
    let right =
        "generate one with: openssl rand -base64 48; in development leave it out, and one is generated".to_owned();
    let shown_as_sample = |sample: &&str| key.trim().eq_ignore_ascii_case(sample);
    if SAMPLES.iter().any(shown_as_sample) {
        return Err(("is a sample from the documentation, which everybody knows".to_owned(), right));
    }
    if key.len() < MIN_BYTES {
        return Err((format!("has {} bytes, but needs at least {MIN_BYTES}", key.len()), right));
    }
    Ok(())
}

/// Returns whether a key of sufficient length is guessable: few different characters, a short text repeated, or
/// placeholder words.
pub(super) fn is_guessable(key: &str) -> bool {
    let bytes = key.trim().as_bytes();
    let different = bytes.iter().collect::<std::collections::BTreeSet<_>>().len();
    let repeats = (1..=bytes.len() / 3).any(|period| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b));
    let ascends = bytes.windows(2).filter(|pair| pair[0].wrapping_add(1) == pair[1]).count() * 10 > bytes.len() * 9;
    let lower = key.to_ascii_lowercase();
    let words =
        ["secret", "password", "changeme", "change-me", "change_me", "change-this", "example", "taskflow", "qwerty"];
    different < 10 || repeats || ascends || words.iter().any(|word| lower.contains(word))
}

/// A key that nobody can guess: 366 random bits, written as hexadecimal digits.
pub(super) fn random() -> SecretString {
    let parts: [Uuid; 3] = std::array::from_fn(|_| Uuid::new_v4());
    SecretString::from(parts.map(|part| part.simple().to_string()).concat())
}

/// The file that belongs to a database: beside its file, or in the working directory; `None`: it is gone with the process.
pub(super) fn path_for(database: &Database) -> Option<PathBuf> {
    match database {
        Database::Memory => None,
        Database::Postgres(_) => Some(PathBuf::from("taskflow.key")),
        Database::Sqlite(file) => {
            let mut path = file.as_os_str().to_owned();
            path.push(".key");
            Some(path.into())
        }
    }
}

/// Finds the key in `path`, or makes it there. When several processes do so at once, all get the same key.
pub(super) fn find_or_make(path: &Path) -> Result<(SecretString, KeyOrigin), Refusal> {
    if let Some(key) = find(path)? {
        return Ok((key, KeyOrigin::Kept(path.to_owned())));
    }
    let made = random();
    match publish(path, secrecy::ExposeSecret::expose_secret(&made)) {
        Ok(()) => Ok((made, KeyOrigin::Created(path.to_owned()))),
        // Somebody was faster, and theirs is complete.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match find(path)? {
            Some(key) => Ok((key, KeyOrigin::Kept(path.to_owned()))),
            None => Err((format!("file {} appears and vanishes", path.display()), "set SECRET_KEY instead".to_owned())),
        },
        Err(error) => Err((
            format!("cannot be stored in {}: {error}", path.display()),
            "make its directory writable, set DATABASE_URL to a file elsewhere, or set SECRET_KEY".to_owned(),
        )),
    }
}

fn find(path: &Path) -> Result<Option<SecretString>, Refusal> {
    let name = path.display();
    let key = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err((
                format!("cannot be read from {name}: {error}"),
                "make the file readable, or set SECRET_KEY".into(),
            ));
        }
    };
    if others_may_read(path) {
        return Err((format!("is in {name}, which others can read"), format!("run: chmod 600 {name}")));
    }
    match check(key.trim()) {
        Ok(()) => Ok(Some(SecretString::from(key.trim()))),
        Err((wrong, _)) => Err((
            format!("in {name} {wrong}"),
            format!("delete {name} to have a new one generated; everybody must then sign in again"),
        )),
    }
}

/// Writes the whole file under another name first, so that nobody ever reads half a key, and then gives it its name
/// unless that is taken. Makes its folder too.
fn publish(path: &Path, key: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", Uuid::new_v4().simple()));
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let result = options.open(&draft).and_then(|mut file| {
        writeln!(file, "{key}")?;
        file.sync_all()?;
        fs::hard_link(&draft, path)
    });
    // The draft has done its part; one that was never made cannot be removed, and that is as well.
    let _ = fs::remove_file(&draft);
    result
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

/// Returns whether every user of this machine can read a file.
pub(super) fn everybody_may_read(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

#[cfg(not(unix))]
fn others_may_read(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn samples_and_short_keys_are_refused() {
        assert!(check("your-super-secret-key-change-this-in-production").expect_err("a sample").0.contains("sample"));
        assert!(check("Changeme").expect_err("a sample").0.contains("sample"));
        assert!(check(&"x".repeat(31)).expect_err("short").0.contains("31 bytes"));
        assert_eq!(check(&"x".repeat(32)), Ok(()));
    }

    #[test]
    fn random_keys_are_long_and_differ() {
        let (one, two) = (random(), random());
        assert_eq!(one.expose_secret().len(), 96);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = path_for(&Database::Sqlite(dir.path().join("x.db"))).expect("beside the file");
        assert!(path.ends_with("x.db.key"));
        let (made, origin) = find_or_make(&path).expect("a key");
        assert_eq!(origin, KeyOrigin::Created(path.clone()));
        let (found, origin) = find_or_make(&path).expect("the key");
        assert_eq!(origin, KeyOrigin::Kept(path));
        assert_eq!(made.expose_secret(), found.expose_secret());
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn many_at_once_get_the_same_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        let keys: Vec<String> = std::thread::scope(|scope| {
            let find = || find_or_make(&path).expect("a key").0.expose_secret().to_owned();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(find)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_only_and_must_stay_so() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        find_or_make(&path).expect("a key");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        let (wrong, right) = find_or_make(&path).expect_err("readable by others");
        assert!(wrong.contains("others can read") && right.contains("chmod 600"));
    }

    #[test]
    fn a_damaged_file_is_named_and_never_repeated() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        publish(&path, "hunter2").expect("written");
        let (wrong, right) = find_or_make(&path).expect_err("too short");
        assert!(wrong.contains("7 bytes") && right.contains("delete"));
        assert!(!wrong.contains("hunter2"));
    }
}
