//! Values of meetings and of the people in them, as JSON has them.

use poem_openapi::registry::MetaSchema;
use serde_json::{Value, json};
use taskflow_core::{
    Comment, DeliveryProblem, DeliveryState, DurationMinutes, InvalidValue, Location, MeetingId, MeetingResponse,
    MeetingRole, MeetingStatus, MeetingTitle, MeetingType, MeetingUrl, ParticipantId, PersonName, StartsAt, Timestamp,
};

use super::{
    LINE, TEXT, Wire, integer, integer_schema, parsed, text, text_schema, with_format, with_pattern, words_schema,
};

texts! {
    MeetingTitle => with_pattern(text_schema(1, Self::MAX_LENGTH), LINE), "Test Meeting", |v| json!(v.as_str());
    Location => with_pattern(text_schema(1, Self::MAX_LENGTH), LINE), "Room 1", |v| json!(v.as_str());
    PersonName => with_pattern(text_schema(1, Self::MAX_LENGTH), LINE), "Grace Hopper", |v| json!(v.as_str());
    Comment => with_pattern(text_schema(1, Self::MAX_LENGTH), TEXT), "I will be five minutes late", |v| json!(v.as_str());
    DeliveryProblem => with_pattern(text_schema(1, Self::MAX_LENGTH), LINE), "550 5.1.1 no such mailbox", |v| json!(v.as_str());
    MeetingUrl => with_format(text_schema(1, Self::MAX_LENGTH), "uri"), "https://meet.example.org/room", |v| json!(v.as_str());
    MeetingType => words_schema(Self::ALL.map(Self::as_str)), "in_person", |v| json!(v.as_str());
    MeetingStatus => words_schema(Self::ALL.map(Self::as_str)), "scheduled", |v| json!(v.as_str());
    MeetingRole => words_schema(Self::ALL.map(Self::as_str)), "attendee", |v| json!(v.as_str());
    MeetingResponse => words_schema(Self::ALL.map(Self::as_str)), "accepted", |v| json!(v.as_str());
    DeliveryState => words_schema(Self::ALL.map(Self::as_str)), "scheduled", |v| json!(v.as_str());
    MeetingId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
    ParticipantId => with_format(MetaSchema::new("string"), "uuid"), "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f", |v| json!(v);
}

impl Wire for DurationMinutes {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!(60)), ..integer_schema(1, Self::MAX) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        Self::new(integer(value, 1, Self::MAX)?).map_err(|error: InvalidValue| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.get())
    }
}

impl Wire for StartsAt {
    fn schema() -> MetaSchema {
        MetaSchema {
            example: Some(json!("2030-03-29T09:00:00")),
            ..with_format(MetaSchema::new("string"), "date-time")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::Instant(at));
        }
        // With an offset in its place, it is held to the same rules. Seconds may be missing, as forms leave them out.
        let seconds = if text.len() == "2030-03-29T09:00".len() { ":00" } else { "" };
        let at = format!("{text}{seconds}Z").parse::<Timestamp>();
        at.map(|at| Self::Local(at.to_chrono().naive_utc())).map_err(|_| {
            "must be a time such as 2030-03-29T09:00:00Z, or 2030-03-29T09:00:00 for what the clock on the wall shows"
                .to_owned()
        })
    }

    fn write(&self) -> Value {
        match self {
            Self::Instant(at) => json!(at),
            Self::Local(at) => json!(at.to_string().replace(' ', "T")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_an_instant_or_what_the_clock_on_the_wall_shows() {
        let read = |text: &str| StartsAt::parse(&json!(text));
        assert!(matches!(read("2030-03-29T09:00:00+02:00"), Ok(StartsAt::Instant(_))));
        for text in ["2030-03-29T09:00:00", "2030-03-29T09:00", "2030-03-29T09:00:00.000"] {
            let read = read(text).expect("a time");
            assert_eq!(read.write(), json!("2030-03-29T09:00:00"), "{text}");
        }
        for text in
            ["", "2030-03-29", "2030-02-30T09:00:00", "+2030-03-29T09:00:00", "09:00", "2030-03-29T25:00:00", "Z"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(StartsAt::parse(&json!(1_900_000_000)).is_err());
    }
}
