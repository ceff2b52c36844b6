use serde_json::Value;
use taskflow_runtime::live::{Topic, Topics};

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The client shows an access token.
    Auth { token: String },
    /// The client asks for a sign of life.
    Ping,
    /// The client chooses topics.
    Subscribe(Vec<Topic>),
    /// The client removes topics.
    Unsubscribe(Vec<Topic>),
}

impl Request {
    /// Parses a text message. The error says what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const KINDS: &str = "type must be ping, subscribe, unsubscribe or auth";
        let value: Value = serde_json::from_str(text).map_err(|_| "a message must be a JSON object".to_owned())?;
        let message = value.as_object().ok_or("a message must be a JSON object")?;
        match message.get("type").and_then(Value::as_str).ok_or(KINDS)? {
            "auth" => {
                let token = message.get("token").and_then(Value::as_str).ok_or("token must be an access token")?;
                Ok(Self::Auth { token: token.to_owned() })
            }
            "ping" => Ok(Self::Ping),
            "subscribe" => topics(&value).map(Self::Subscribe),
            "unsubscribe" => topics(&value).map(Self::Unsubscribe),
            _ => Err(KINDS.to_owned()),
        }
    }
}

fn topics(message: &Value) -> Result<Vec<Topic>, String> {
    const LIST: &str = "topics must be a list of words: tasks, meetings, reminders";
    let words = message.get("topics").and_then(Value::as_array).ok_or(LIST)?;
    let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
    Topics::parse(words.ok_or(LIST)?).map_err(|_| LIST.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say_is_understood() {
        let parse = |text| Request::parse(text).expect("a request");
        assert_eq!(parse(r#"{"type":"ping","id":7}"#), Request::Ping);
        assert_eq!(parse(r#"{"type":"auth","token":"x"}"#), Request::Auth { token: "x".to_owned() });
        let topics = r#"{"type":"subscribe","topics":["tasks","reminders"]}"#;
        assert_eq!(parse(topics), Request::Subscribe(vec![Topic::Tasks, Topic::Reminders]));
        assert_eq!(parse(r#"{"type":"unsubscribe","topics":[]}"#), Request::Unsubscribe(vec![]));
    }

    #[test]
    fn what_makes_no_sense_is_answered_with_what_would() {
        for (text, expected) in [
            ("", "JSON object"),
            ("[1]", "JSON object"),
            ("{}", "type must be"),
            (r#"{"type":7}"#, "type must be"),
            (r#"{"type":"hello"}"#, "type must be"),
            (r#"{"type":"auth"}"#, "token must be"),
            (r#"{"type":"auth","token":null}"#, "token must be"),
            (r#"{"type":"subscribe"}"#, "topics must be"),
            (r#"{"type":"subscribe","topics":"tasks"}"#, "topics must be"),
            (r#"{"type":"subscribe","topics":["tasks",7]}"#, "topics must be"),
            (r#"{"type":"unsubscribe","topics":["everything"]}"#, "topics must be"),
        ] {
            let error = Request::parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
