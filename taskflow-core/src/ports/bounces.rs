use crate::BounceReport;

/// A message in which no report about mail was found; says what is missing, never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableBounce(pub String);

/// Reads what comes back about mail: reports of delivery (RFC 3464) and of complaints (RFC 5965).
///
/// # Contract
///
/// Pure. Reading never panics, whatever it is given, and takes time in proportion to its length.
pub trait Bounces: Send + Sync {
    /// Returns what a whole message (RFC 5322) reports, one entry for each address that it names; at least one where it names
    /// the mail alone.
    fn read(&self, message: &[u8]) -> Result<Vec<BounceReport>, UnreadableBounce>;
}
