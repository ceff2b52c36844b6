//! The people in a meeting as JSON: whom to invite, who is in it, what they answer.

use poem_openapi::Object;
use poem_openapi::registry::{MetaSchema, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use serde_json::{Value, json};
use taskflow_core::{
    App, Comment, DeliveryProblem, EmailAddress, Invitee, Locale, MeetingResponse, MeetingRole, NamedAddress,
    Participant, ParticipantId, PersonName, Timestamp, Zone,
};

use crate::api::wire::{text, words_schema};
use crate::api::{ApiError, Field, Required, Val, ValidationErrors, Wire};

/// A participant of a meeting. It does not say whether the person has an account.
#[derive(Debug, Object)]
#[oai(rename = "Participant", skip_serializing_if_is_none)]
pub(in crate::api) struct ParticipantBody {
    /// Identifier; never changes.
    id: Val<ParticipantId>,
    /// The address that they were invited by.
    email: Val<EmailAddress>,
    /// Name of the person.
    name: Option<Val<PersonName>>,
    /// Their role in the meeting.
    role: Val<MeetingRole>,
    /// Their answer.
    response_status: Val<MeetingResponse>,
    /// Comment on the answer.
    comment: Option<Val<Comment>>,
    /// When they answered; absent while an answer is awaited.
    responded_at: Option<Val<Timestamp>>,
    /// The start they proposed instead.
    proposed_start: Option<Val<Timestamp>>,
    /// The language of a guest's mail and pages, if one was given; otherwise the organizer's.
    locale: Option<Val<Locale>>,
    /// The zone in which a guest reads times, if one was given; otherwise the meeting's.
    time_zone: Option<Val<Zone>>,
    /// Why mail about the meeting does not reach them.
    delivery_problem: Option<Val<DeliveryProblem>>,
}

/// A person to invite.
#[derive(Debug, Object)]
#[oai(rename = "Invitee")]
struct InviteeBody {
    /// Email address.
    email: Required<NamedAddress>,
    /// Name of the person.
    #[oai(nullable)]
    name: Field<PersonName>,
    /// Whether their attendance is required (`attendee`, the default) or optional (`optional`).
    #[oai(nullable)]
    role: Field<Role>,
    /// The language of mail and pages for a guest; the organizer's when left out.
    #[oai(nullable)]
    locale: Field<Locale>,
    /// The zone in which a guest reads times; the meeting's when left out.
    #[oai(nullable)]
    time_zone: Field<Zone>,
}

/// People to invite: one person, or lists of them.
#[derive(Debug, Object)]
#[oai(rename = "Invitees")]
pub(super) struct InviteesBody {
    /// Email address of one person.
    #[oai(nullable)]
    email: Field<NamedAddress>,
    /// Name of that person.
    #[oai(nullable)]
    name: Field<PersonName>,
    /// Whether the attendance of that person is required (`attendee`, the default) or optional (`optional`).
    #[oai(nullable)]
    role: Field<Role>,
    /// The language of mail and pages for a guest; the organizer's when left out.
    #[oai(nullable)]
    locale: Field<Locale>,
    /// The zone in which a guest reads times; the meeting's when left out.
    #[oai(nullable)]
    time_zone: Field<Zone>,
    /// Several people, by email address alone.
    #[oai(nullable)]
    participant_emails: Field<Addresses>,
    /// Several people.
    #[oai(nullable)]
    participants: Field<People>,
}

/// Another role for a participant.
#[derive(Debug, Object)]
#[oai(rename = "RoleChange")]
pub(super) struct RoleBody {
    /// Whether their attendance is required (`attendee`) or optional (`optional`).
    role: Required<Role>,
}

/// A response to an invitation.
#[derive(Debug, Object)]
#[oai(rename = "InvitationResponse")]
pub(in crate::api) struct ResponseBody {
    /// Whether the participant comes.
    response: Required<Reply>,
    /// A comment for the organizer.
    #[oai(nullable)]
    comment: Field<Remark>,
    /// The version of the meeting that was shown. When time or place differ by now, the answer is refused with 409. Left
    /// out, the answer is to the meeting as it is.
    #[oai(nullable)]
    version: Field<MeetingVersion>,
}

/// The version of a meeting, from 1 on; a number, or its digits as forms send them.
#[derive(Debug)]
pub(in crate::api) struct MeetingVersion(u64);

/// An answer as it was sent.
pub(in crate::api) struct GivenResponse {
    pub(in crate::api) response: MeetingResponse,
    pub(in crate::api) comment: Option<Comment>,
    pub(in crate::api) version: Option<u64>,
}

/// A role that an invitee can be given.
#[derive(Debug)]
pub(super) struct Role(MeetingRole);

/// A response that a participant can give.
#[derive(Debug)]
pub(super) struct Reply(MeetingResponse);

/// A comment; an empty one is none, as forms send it.
#[derive(Debug)]
pub(in crate::api) struct Remark(pub(in crate::api) Option<Comment>);

/// A list of people, each still to be read: every one that does not fit is named.
#[derive(Debug)]
pub(super) struct People(Vec<Value>);

/// The same of addresses alone.
#[derive(Debug)]
pub(super) struct Addresses(Vec<Value>);

/// Everybody who is to be invited.
pub(super) fn invitees(
    findings: &mut ValidationErrors,
    emails: Field<Addresses>,
    people: Field<People>,
) -> Vec<Invitee> {
    let mut invitees = Vec::new();
    let Addresses(emails) = findings.optional("participant_emails", emails).unwrap_or(Addresses(Vec::new()));
    for (index, email) in emails.iter().enumerate() {
        match NamedAddress::parse(email) {
            Ok(email) => invitees.push(invitee(email, None, None)),
            Err(message) => findings.note(&format!("participant_emails.{index}"), message),
        }
    }
    let People(people) = findings.optional("participants", people).unwrap_or(People(Vec::new()));
    for (index, one) in people.into_iter().enumerate() {
        let path = format!("participants.{index}");
        match one {
            Value::Object(_) => invitees.extend(person(findings, &path, one)),
            _ => findings.note(&path, "must be an object"),
        }
    }
    invitees
}

fn person(findings: &mut ValidationErrors, path: &str, object: Value) -> Option<Invitee> {
    // Its members take whatever they are given and remember it, so only what is no object could fail.
    let body = InviteeBody::parse_from_json(Some(object)).ok()?;
    let email = findings.required(&format!("{path}.email"), body.email);
    let name = findings.optional(&format!("{path}.name"), body.name);
    let role = findings.optional(&format!("{path}.role"), body.role);
    let locale = findings.optional(&format!("{path}.locale"), body.locale);
    let time_zone = findings.optional(&format!("{path}.time_zone"), body.time_zone);
    email.map(|email| Invitee { locale, time_zone, ..invitee(email, name, role) })
}

/// A name of its own comes before the one that was pasted with the address.
fn invitee(email: NamedAddress, name: Option<PersonName>, role: Option<Role>) -> Invitee {
    let NamedAddress { name: pasted, address } = email;
    let role = role.map_or_else(MeetingRole::default, |Role(role)| role);
    Invitee { name: name.or(pasted), role, ..Invitee::new(address) }
}

impl InviteesBody {
    pub(super) fn read(self) -> Result<Vec<Invitee>, ApiError> {
        let mut findings = ValidationErrors::default();
        let lists = [
            matches!(self.participants, Field::Absent | Field::Null),
            matches!(self.participant_emails, Field::Absent | Field::Null),
        ];
        let mut invitees = invitees(&mut findings, self.participant_emails, self.participants);
        let (name, role) = (findings.optional("name", self.name), findings.optional("role", self.role));
        let locale = findings.optional("locale", self.locale);
        let time_zone = findings.optional("time_zone", self.time_zone);
        match self.email {
            Field::Absent | Field::Null if lists == [true; 2] => {
                findings.note("email", "is required, or a list under participants or participant_emails");
            }
            email => {
                let email = findings.optional("email", email);
                invitees.extend(email.map(|email| Invitee { locale, time_zone, ..invitee(email, name, role) }));
            }
        }
        findings.finish(Some(invitees))
    }
}

impl RoleBody {
    pub(super) fn read(self) -> Result<MeetingRole, ApiError> {
        let mut findings = ValidationErrors::default();
        let role = findings.required("role", self.role).map(|Role(role)| role);
        findings.finish(role)
    }
}

impl ResponseBody {
    /// The answer as it was sent, if it is one.
    pub(in crate::api) fn response(&self) -> Option<MeetingResponse> {
        match &self.response {
            Field::Value(Reply(response)) => Some(*response),
            Field::Absent | Field::Null | Field::Bad(_) => None,
        }
    }

    /// The comment as it was sent, if it can be one.
    pub(in crate::api) fn comment(&self) -> Option<Comment> {
        match &self.comment {
            Field::Value(Remark(comment)) => comment.clone(),
            Field::Absent | Field::Null | Field::Bad(_) => None,
        }
    }

    pub(in crate::api) fn read(self) -> Result<GivenResponse, ApiError> {
        let mut findings = ValidationErrors::default();
        let response = findings.required("response", self.response).map(|Reply(response)| response);
        let comment = findings.optional("comment", self.comment).and_then(|Remark(comment)| comment);
        let version = findings.optional("version", self.version).map(|MeetingVersion(version)| version);
        findings.finish(response.map(|response| GivenResponse { response, comment, version }))
    }
}

impl From<Participant> for ParticipantBody {
    fn from(participant: Participant) -> Self {
        Self {
            id: Val(participant.id),
            email: Val(participant.email),
            name: participant.name.map(Val),
            role: Val(participant.role),
            response_status: Val(participant.response),
            comment: participant.comment.map(Val),
            responded_at: participant
                .responded_at
                .filter(|_| participant.response != MeetingResponse::Pending)
                .map(Val),
            proposed_start: participant.proposed_start.map(Val),
            locale: participant.locale.map(Val),
            time_zone: participant.time_zone.map(Val),
            delivery_problem: participant.delivery_problem.map(Val),
        }
    }
}

macro_rules! choices {
    ($($name:ident($of:ty): [$($choice:expr),+], $or:literal;)+) => {$(
        impl Wire for $name {
            fn schema() -> MetaSchema {
                words_schema([$($choice.as_str()),+])
            }

            fn parse(value: &Value) -> Result<Self, String> {
                let word: Option<$of> = text(value)?.parse().ok();
                word.filter(|word| [$($choice),+].contains(word)).map(Self).ok_or_else(|| $or.to_owned())
            }

            fn write(&self) -> Value {
                json!(self.0.as_str())
            }
        }
    )+};
}

choices! {
    Role(MeetingRole): [MeetingRole::Attendee, MeetingRole::Optional],
        "must be attendee or optional; the organizer is who calls the meeting";
    Reply(MeetingResponse): [MeetingResponse::Accepted, MeetingResponse::Declined, MeetingResponse::Tentative],
        "must be accepted, declined or tentative";
}

impl Wire for MeetingVersion {
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(1.0), example: Some(json!(3)), ..MetaSchema::new("integer") }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let version = value.as_u64().or_else(|| value.as_str().and_then(digits));
        let version = version.filter(|version| *version >= 1);
        version.map(Self).ok_or_else(|| "must be the version of the meeting, a whole number from 1 on".to_owned())
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

impl Wire for Remark {
    fn schema() -> MetaSchema {
        MetaSchema { min_length: None, ..Comment::schema() }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match text(value)?.trim() {
            "" => Ok(Self(None)),
            _ => Comment::parse(value).map(|comment| Self(Some(comment))),
        }
    }

    fn write(&self) -> Value {
        self.0.as_ref().map(Wire::write).unwrap_or_default()
    }
}

macro_rules! lists {
    ($($name:ident of $item:ty, as in $example:expr;)+) => {$(
        impl Wire for $name {
            fn register(registry: &mut Registry) {
                <$item>::register(registry);
            }

            fn schema() -> MetaSchema {
                MetaSchema {
                    items: Some(Box::new(<$item>::schema_ref())),
                    max_items: Some(App::MOST_PARTICIPANTS),
                    example: Some($example),
                    ..MetaSchema::new("array")
                }
            }

            fn parse(value: &Value) -> Result<Self, String> {
                let items = value.as_array().ok_or("must be a list")?;
                if items.len() > App::MOST_PARTICIPANTS {
                    return Err(format!("must be at most {} people", App::MOST_PARTICIPANTS));
                }
                Ok(Self(items.clone()))
            }

            fn write(&self) -> Value {
                json!(self.0)
            }
        }
    )+};
}

lists! {
    People of InviteeBody, as in json!([{ "email": "grace@example.com", "name": "Grace Hopper" }]);
    Addresses of Val<EmailAddress>, as in json!(["test@example.com"]);
}

#[cfg(test)]
mod tests;
