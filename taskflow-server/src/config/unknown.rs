//! Names in the environment that look like settings and are none: a misspelled setting is otherwise not in force and nobody
//! learns of it.

use super::settings::{SETTINGS, Setting};

/// Prefixes of variables that are meant for this program.
const PREFIX: &str = "TASKFLOW_";
/// The beginnings of our names that others use least.
const FAMILIES: [&str; 2] = ["SMTP_", "SECRET_KEY"];
/// Names of the shell, of languages and of test programs that are one letter off a setting, or begin with the prefix.
const FOREIGN: [&str; 2] = ["TASKFLOW_TEST_DATABASE_URL", "TASKFLOW_SEED"];

/// Returns a remark about a variable of the environment that is probably meant for this program and has no effect. The value
/// is never shown.
pub(super) fn remark(name: &str, value: &str) -> Option<String> {
    if SETTINGS.iter().any(|setting| setting.name == name) || FOREIGN.contains(&name) || is_service_link(name, value) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    if let Some(rest) = upper.strip_prefix(PREFIX) {
        let meant = Setting::named(rest).or_else(|| nearest(rest));
        return Some(told(name, meant, "settings have no prefix"));
    }
    let near = Setting::named(name).or_else(|| nearest(&upper));
    match near {
        Some(meant) => Some(told(name, Some(meant), "")),
        None if FAMILIES.iter().any(|family| name.starts_with(family)) => Some(told(name, None, "")),
        None => None,
    }
}

fn told(name: &str, meant: Option<&Setting>, why: &str) -> String {
    let right = match (meant, why) {
        (Some(meant), "") => format!("did you mean {}?", meant.name),
        (Some(meant), why) => format!("{why}: did you mean {}?", meant.name),
        (None, _) => "taskflow config --help lists all settings".to_owned(),
    };
    format!("{name} in the environment is not a setting and has no effect; {right}")
}

/// Kubernetes puts the addresses of a service named `taskflow` into the environment of every pod.
fn is_service_link(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    rest.contains("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || rest.contains("PORT_")
        || value.contains("://") && rest.ends_with("PORT")
}

/// The setting that a name is one letter away from, or two letters the wrong way round. Short names are no evidence: `HOSTS`
/// and `POST` have a meaning of their own.
fn nearest(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name.len() >= 5 && is_near(name.as_bytes(), setting.name.as_bytes()))
}

fn is_near(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let start = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    let (short, long) = (&short[start..], &long[start..]);
    match long.len() - short.len() {
        0 => {
            short.get(1..) == long.get(1..)
                || short.len() >= 2 && short[0] == long[1] && short[1] == long[0] && short[2..] == long[2..]
        }
        1 => short == &long[1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(name: &str) -> Option<String> {
        let text = remark(name, "hunter2")?;
        assert!(text.starts_with(&format!("{name} in the environment")) && !text.contains("hunter2"), "{text}");
        Some(text.split_once("did you mean ").map_or("", |(_, rest)| rest.trim_end_matches('?')).to_owned())
    }

    #[test]
    fn names_with_our_prefix_or_one_letter_off_are_remarked_with_what_is_probably_meant() {
        for (name, right) in [
            ("TASKFLOW_PORT", "PORT"),
            ("TASKFLOW_SECRET_KEY", "SECRET_KEY"),
            ("TASKFLOW_SMTP_SERVR", "SMTP_SERVER"),
            ("TASKFLOW_BLURB", ""),
            ("SMTP_SERVR", "SMTP_SERVER"),
            ("SMTP_SEVRER", "SMTP_SERVER"),
            ("SMTP_SERVERS", "SMTP_SERVER"),
            ("SMTP-SERVER", "SMTP_SERVER"),
            ("PUBLIC_URI", "PUBLIC_URL"),
            ("DATABASE_URLS", "DATABASE_URL"),
            ("secret_key", "SECRET_KEY"),
            ("SMTP_HOST", ""),
        ] {
            assert_eq!(meant(name).as_deref(), Some(right), "{name}");
        }
    }

    #[test]
    fn settings_and_names_of_others_are_not_remarked() {
        for name in ["PORT", "SMTP_SERVER", "HOSTNAME", "HOSTS", "POST", "PATH", "HOME", "LANG", "JOB_NAME", "LOGNAME"]
        {
            assert_eq!(meant(name), None, "{name}");
        }
        for (name, value) in [("TASKFLOW_PORT", "tcp://10.0.0.1:80"), ("TASKFLOW_SERVICE_HOST", "10.0.0.1")] {
            assert_eq!(remark(name, value), None, "{name}");
        }
    }
}
