use taskflow_runtime::live::Disconnect;

/// The reason why a WebSocket or an event stream is closed. The codes are those of RFC 6455 §7.4 and of applications
/// (4000 to 4999).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum CloseReason {
    /// The server stops.
    GoingAway,
    /// The client sends no valid WebSocket frames.
    Malformed,
    /// A text message is not UTF-8.
    NotUtf8,
    /// The client sent a binary message.
    NotText,
    /// The client sends too many messages.
    RateLimited,
    /// A message of the client is too large.
    TooLarge,
    /// The feed or the list of ended sessions cannot be read for now.
    Unavailable,
    /// The client showed no token.
    NotSignedIn,
    /// The token is not valid. The client does not learn why.
    BadToken,
    /// The session was ended.
    SignedOut,
    /// The token has expired.
    Expired,
    /// The feed belongs to somebody else.
    Forbidden,
    /// The client does not read what it is sent.
    TooSlow,
    /// The client does not answer pings.
    Silent,
    /// The person has too many connections.
    TooMany,
    /// This node has too many connections.
    Full,
    /// The client closed the connection.
    Left,
}

impl CloseReason {
    /// Returns the code of the close frame.
    pub(in crate::api) fn code(self) -> u16 {
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

    /// Returns the reason in words.
    pub(in crate::api) fn reason(self) -> &'static str {
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

impl From<Disconnect> for CloseReason {
    fn from(reason: Disconnect) -> Self {
        match reason {
            Disconnect::GoingAway => Self::GoingAway,
            Disconnect::Unavailable => Self::Unavailable,
            Disconnect::SignedOut => Self::SignedOut,
            Disconnect::TooMany => Self::TooMany,
            Disconnect::Full => Self::Full,
        }
    }
}
