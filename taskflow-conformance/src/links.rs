use taskflow_core::Timestamp;
use taskflow_core::ports::{Link, LinkPurpose, Links};
use uuid::Uuid;

/// Links that hide nothing: `purpose/id/expiry`, and `/version` if there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainLinks;

impl Links for PlainLinks {
    fn url(&self, link: &Link) -> String {
        let version = link.version.map(|version| format!("/{version}")).unwrap_or_default();
        format!("{}/{}/{}{version}", link.purpose.as_str(), link.id, link.expires_at)
    }

    fn open(&self, purpose: LinkPurpose, token: &str) -> Option<Link> {
        let mut parts = token.split('/');
        let purpose = parts.next().filter(|word| *word == purpose.as_str()).map(|_| purpose)?;
        let id: Uuid = parts.next()?.parse().ok()?;
        let expires_at: Timestamp = parts.next()?.parse().ok()?;
        let version = parts.next().map(str::parse).transpose().ok()?;
        Some(Link { purpose, id, expires_at, version })
    }
}
