//! The variables of a notice, written for its reader.

use std::borrow::Cow;

use minijinja::Value;
use taskflow_core::ports::RenderError;
use taskflow_core::{Location, Meeting, MeetingUrl, Task, TaskPriority, Timestamp, Variable, Variables};

use super::meeting::{self, Place};
use super::reader::Reader;

/// The values of a template's variables by their names.
pub(super) type Values = Vec<(Cow<'static, str>, Value)>;

/// Writes variables in the language and the zone of their reader.
pub(super) fn values(variables: Variables<'_>, reader: &Reader<'_>) -> Result<Values, RenderError> {
    variables.into_iter().map(|(name, variable)| Ok((name, value(variable, reader)?))).collect()
}

fn value(variable: Variable<'_>, reader: &Reader<'_>) -> Result<Value, RenderError> {
    Ok(match variable {
        Variable::None => Value::from(()),
        Variable::Flag(flag) => Value::from(flag),
        Variable::Number(number) => Value::from(number),
        Variable::Text(text) => Value::from(text),
        Variable::Words(key) => Value::from(reader.say(&key)?),
        Variable::WordsWith(key, gap, text) => Value::from(reader.words.say(key, &[(gap, &text)])?),
        Variable::Count(key, count) => Value::from(reader.count(key, count)?),
        Variable::Time(at) => Value::from(reader.long(at)?),
        Variable::BriefTime(at) => Value::from(reader.brief(at)?),
        Variable::RelativeTime(at) => Value::from(reader.relative(at)?),
        Variable::Timing(at) => Value::from(reader.timing(at).as_str()),
        Variable::Day(day) => Value::from(reader.day(day)?),
        Variable::OnDay(day) => Value::from(reader.on_day(day)?),
        Variable::Minutes(minutes) => Value::from(reader.lasts(minutes)?),
        Variable::TaskSummary(task) => Value::from(about_task(task, reader)?),
        Variable::MeetingSummary(meeting) => Value::from(about_meeting(meeting, reader)?),
        Variable::MeetingFacts(meeting, was) => Value::from(meeting::rows(meeting, was, Place::Mail, reader)?),
        Variable::MeetingChanges(_, None) => Value::from(Vec::<Value>::new()),
        Variable::MeetingChanges(meeting, was) => {
            Value::from(meeting::changes(&meeting::rows(meeting, was, Place::Mail, reader)?)?)
        }
        Variable::Json(json) => of_json(json),
        Variable::List(items) => {
            Value::from(items.into_iter().map(|item| value(item, reader)).collect::<Result<Vec<_>, _>>()?)
        }
        Variable::Map(variables) => Value::from_pairs(values(variables, reader)?),
    })
}

fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from_iter(items.iter().map(of_json)),
        serde_json::Value::Object(members) => {
            Value::from_pairs(members.iter().map(|(name, value)| (name.as_str(), of_json(value))))
        }
    }
}

/// Returns when a task of a list is due, and its priority unless it is medium.
pub(super) fn about_task(task: &Task, reader: &Reader<'_>) -> Result<Option<String>, RenderError> {
    let due = match task.due_at {
        Some(due_at) => Some(format!("{}: {}", reader.say("fact.due")?, in_list(task, due_at, reader)?)),
        None => None,
    };
    let priority = match task.priority {
        TaskPriority::Medium => None,
        priority => Some(reader.say(&format!("of_priority.{}", priority.as_str()))?),
    };
    Ok(match (due, priority) {
        (Some(due), Some(priority)) => Some(format!("{due} · {priority}")),
        (due, priority) => due.or(priority),
    })
}

fn in_list(task: &Task, due_at: Timestamp, reader: &Reader<'_>) -> Result<String, RenderError> {
    task.due_on.map_or_else(|| reader.in_list(due_at), |day| reader.day(day))
}

/// Returns when and where a meeting of today is.
pub(super) fn about_meeting(meeting: &Meeting, reader: &Reader<'_>) -> Result<String, RenderError> {
    let about = format!("{} · {}", reader.clock(meeting.starts_at)?, reader.lasts(meeting.duration.get())?);
    let place = meeting.location.as_ref().map(Location::as_str);
    let place = place.or_else(|| meeting.meeting_url.as_ref().map(MeetingUrl::as_str));
    Ok(place.map_or_else(|| about.clone(), |place| format!("{about} · {place}")))
}
