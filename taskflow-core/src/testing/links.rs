use uuid::Uuid;

use crate::Timestamp;
use crate::ports::{Link, LinkPurpose, Links};

/// Links that hide nothing: `purpose/id/expiry`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainLinks;

impl Links for PlainLinks {
    fn url(&self, link: &Link) -> String {
        format!("{}/{}/{}", link.purpose.as_str(), link.id, link.expires_at)
    }

    fn open(&self, purpose: LinkPurpose, token: &str) -> Option<Link> {
        let mut parts = token.split('/');
        let purpose = parts.next().filter(|word| *word == purpose.as_str()).map(|_| purpose)?;
        let id: Uuid = parts.next()?.parse().ok()?;
        let expires_at: Timestamp = parts.next()?.parse().ok()?;
        Some(Link { purpose, id, expires_at })
    }
}
