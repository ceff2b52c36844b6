//! The stored form of sessions and of what stands behind links.

use taskflow_core::{Session, SessionId, Token, TokenHash, TokenId, TokenPurpose};

use crate::entity::stored;
use crate::values::{ids, opaque, texts};

ids!(SessionId, TokenId);
opaque!(TokenHash: as_str);
texts!(TokenPurpose: as_str);

stored! {
    Session in "sessions" {
        key id: SessionId;
        fixed user_id, device, created_at, ended_at;
        changing token, previous, repeated, used_at, expires_at, confirmed_at, version;
    }
}

stored! {
    Token in "tokens" {
        key id: TokenId;
        fixed purpose, user_id, email, created_at, expires_at;
        changing used_at;
    }
}
