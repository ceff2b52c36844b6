//! Versions in headers (RFC 9110 §8.8.3, §13.1.1).

use taskflow_core::Expect;

/// The entity tag of a version.
pub(super) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Which version `If-Match` asks for. A tag that is none of ours, a weak one or a list matches nothing, so that the
/// answer is 412 and never an overwritten change.
pub(super) fn expected(if_match: Option<&str>) -> Expect {
    match if_match.map(str::trim) {
        None | Some("*") => Expect::Any,
        Some(tag) => {
            let version = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            Expect::Version(version.and_then(|version| version.parse().ok()).unwrap_or(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tag_of_ours_matches_no_version() {
        assert_eq!(expected(Some(&etag(7))), Expect::Version(7));
        assert_eq!(expected(None), Expect::Any);
        assert_eq!(expected(Some(" * ")), Expect::Any);
        for tag in ["7", "W/\"7\"", "\"7\", \"8\"", "\"x\"", ""] {
            assert_eq!(expected(Some(tag)), Expect::Version(0), "{tag}");
        }
    }
}
