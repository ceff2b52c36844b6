/// Why a conversation ends. The codes are those of RFC 6455 §7.4 and of applications (4000 to 4999).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The server stops.
    GoingAway,
    /// What the client sends are no frames of a WebSocket.
    Malformed,
    /// A text is none.
    NotUtf8,
    /// Only text is understood.
    NotText,
    /// What the client sends is no conversation: too much of it.
    RateLimited,
    /// A message is too large.
    TooLarge,
    /// The server cannot go on for now.
    Unavailable,
    /// No token.
    NotSignedIn,
    /// A token that does not count; never said why.
    BadToken,
    /// The session was ended.
    SignedOut,
    /// The token has expired.
    Expired,
    /// Somebody else's updates.
    Forbidden,
    /// It does not read what it is sent.
    TooSlow,
    /// It does not answer pings.
    Silent,
    /// The person has too many connections.
    TooMany,
    /// This node has too many connections.
    Full,
    /// The client has left.
    Left,
}

impl CloseReason {
    /// The code of the close frame.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Left => 1000,
            Self::GoingAway => 1001,
            Self::Malformed => 1002,
            Self::NotText => 1003,
            Self::NotUtf8 => 1007,
            Self::RateLimited => 1008,
            Self::TooLarge => 1009,
            Self::Unavailable | Self::Full => 1013,
            Self::NotSignedIn | Self::BadToken | Self::SignedOut | Self::Expired => 4401,
            Self::Forbidden => 4403,
            Self::TooSlow | Self::Silent => 4408,
            Self::TooMany => 4429,
        }
    }

    /// Why, for people.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Left => "good-bye",
            Self::GoingAway => "the server stops, connect again",
            Self::Malformed => "this is no WebSocket (RFC 6455)",
            Self::NotUtf8 => "text must be UTF-8",
            Self::NotText => "only text messages are understood",
            Self::RateLimited => "too many messages",
            Self::TooLarge => "the message is too large",
            Self::Unavailable => "the feed cannot be read, connect again later",
            Self::NotSignedIn => "sign in first",
            Self::BadToken => "the token is not valid or has expired, sign in again",
            Self::SignedOut => "the session has ended, sign in again",
            Self::Expired => "the token has expired, refresh it",
            Self::Forbidden => "these are somebody else's updates",
            Self::TooSlow => "messages are not read fast enough, connect again",
            Self::Silent => "nothing was heard for too long",
            Self::TooMany => "too many connections of one person",
            Self::Full => "too many connections, connect again later",
        }
    }
}
