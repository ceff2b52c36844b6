use crate::BounceReport;

/// The error of a message without a report about mail. States what is missing, and never quotes the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableBounce(pub String);

/// Reads reports about mail that come back: delivery status (RFC 3464) and complaints (RFC 5965).
///
/// # Contract
///
/// Pure. Reading never panics, whatever it is given, and takes time in proportion to its length.
pub trait Bounces: Send + Sync {
    /// Returns what a whole message (RFC 5322) reports, one entry for each address that it names; at least one where it names
    /// the mail alone.
    fn read(&self, message: &[u8]) -> Result<Vec<BounceReport>, UnreadableBounce>;
}
