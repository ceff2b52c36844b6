//! Many changes in one request, as JSON.

use poem_openapi::Object;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use serde_json::{Map, Value, json};
use taskflow_core::{App, Bulk, Error, FieldError, Task, TaskId, TaskOperation};

use super::forms::{ChangeBody, NewTaskBody, TaskBody};
use crate::api::once::Kept;
use crate::api::wire::words_schema;
use crate::api::{ApiError, Field, Problem, Required, ValidationErrors, Wire};

/// Changes of many tasks.
#[derive(Debug, Object)]
#[oai(rename = "TaskBulk")]
pub(super) struct BulkBody {
    /// `true`: nothing is done unless all operations can be. `false`, the default: each operation that can be done is
    /// done.
    #[oai(nullable)]
    atomic: Field<bool>,
    /// Up to 100 operations, each task at most once.
    operations: Required<Operations>,
}

/// The results of all operations, in their order.
#[derive(Debug, Object)]
#[oai(rename = "TaskBulkResults")]
pub(super) struct ResultsBody {
    /// One result for each operation.
    results: Vec<ResultBody>,
}

/// The result of one operation.
#[derive(Debug, Object)]
#[oai(rename = "TaskBulkResult", skip_serializing_if_is_none)]
struct ResultBody {
    /// The status that it would have had alone: 201 created, 200 changed, 204 deleted, or a refusal.
    #[oai(validator(minimum(value = "200"), maximum(value = "599")))]
    status: u16,
    /// The task as it is now, if it was created or changed.
    task: Option<TaskBody>,
    /// Why it was not done.
    problem: Option<Problem>,
}

/// Operations still to be read: with `atomic: false`, one that cannot be read is refused alone.
#[derive(Debug)]
struct Operations(Vec<Value>);

/// HTTP status of each operation if it succeeds.
pub(super) type Statuses = Vec<u16>;

impl BulkBody {
    pub(super) fn read(self) -> Result<(Bulk, Vec<TaskOperation>), ApiError> {
        let mut findings = ValidationErrors::default();
        let atomic = findings.optional("atomic", self.atomic).unwrap_or_default();
        let operations = findings.required("operations", self.operations);
        let Operations(operations) = findings.finish(operations)?;
        let bulk = if atomic { Bulk::AllOrNothing } else { Bulk::Each };
        Ok((bulk, operations.into_iter().map(operation).collect()))
    }
}

/// The statuses of success, from what was asked.
pub(super) fn statuses(operations: &[TaskOperation]) -> Statuses {
    let status = |operation: &TaskOperation| match operation {
        TaskOperation::Create(_) => 201,
        TaskOperation::Delete(_) => 204,
        TaskOperation::Update(..) | TaskOperation::Unreadable(_) => 200,
    };
    operations.iter().map(status).collect()
}

/// The answer when each operation stands for itself.
pub(super) fn kept(statuses: &[u16], results: &[Result<Task, Error>]) -> Kept {
    let result = |(index, (success, result)): (usize, (&u16, &Result<Task, Error>))| match result {
        Ok(task) => {
            let task = (*success != 204).then(|| TaskBody::from(task.clone()));
            ResultBody { status: *success, task, problem: None }
        }
        Err(error) => {
            let problem = refusal(index, error);
            ResultBody { status: problem.status(), task: None, problem: Some(problem.recorded()) }
        }
    };
    let results = statuses.iter().zip(results).enumerate().map(result).collect();
    let body = ResultsBody { results }.to_json().unwrap_or_default().to_string();
    Kept { status: 200, location: None, etag: None, body }
}

/// The answer when the whole failed: what is wrong with each operation at once.
pub(super) fn failed(error: Error) -> ApiError {
    let Error::Items(items) = error else { return error.into() };
    let mut fields = Vec::new();
    for (index, error) in &items {
        match refusal(*index, error) {
            ApiError::Invalid(errors) => fields.extend(errors),
            ApiError::NotFound => fields.push(FieldError::new(path(*index, "id"), "names no task of yours")),
            other => return other,
        }
    }
    ApiError::Invalid(fields)
}

/// Returns the error for an operation that cannot be done.
fn refusal(index: usize, error: &Error) -> ApiError {
    match error {
        Error::NotFound(_) => ApiError::NotFound,
        Error::Invalid(errors) => {
            let field = |error: &FieldError| FieldError::new(path(index, &error.field), error.message.clone());
            ApiError::Invalid(errors.iter().map(field).collect())
        }
        Error::Stale => ApiError::Conflict,
        Error::Taken(field) => ApiError::Taken(*field),
        Error::OverQuota(over) => ApiError::OverQuota(*over),
        other => ApiError::Internal(other.to_string().into()),
    }
}

/// Returns the path of a field in the request. Core knows the fields of a task, but not that they are inside an
/// operation.
fn path(index: usize, field: &str) -> String {
    match field {
        "" => format!("operations[{index}]"),
        "op" | "id" | "task" => format!("operations[{index}].{field}"),
        field if field.starts_with("task.") => format!("operations[{index}].{field}"),
        field => format!("operations[{index}].task.{field}"),
    }
}

fn operation(value: Value) -> TaskOperation {
    let Value::Object(mut members) = value else {
        return TaskOperation::Unreadable(vec![FieldError::new("", "must be an object")]);
    };
    let mut errors = Vec::new();
    let read = match members.get("op").and_then(Value::as_str) {
        Some("create") => task(&mut members, NewTaskBody::read, &mut errors).map(TaskOperation::Create),
        Some("update") => {
            let id = id(&members, &mut errors);
            let change = task(&mut members, ChangeBody::read, &mut errors);
            id.zip(change).map(|(id, change)| TaskOperation::Update(id, change))
        }
        Some("delete") => id(&members, &mut errors).map(TaskOperation::Delete),
        Some(_) | None => {
            errors.push(FieldError::new("op", "must be create, update or delete"));
            None
        }
    };
    read.unwrap_or(TaskOperation::Unreadable(errors))
}

fn id(members: &Map<String, Value>, errors: &mut Vec<FieldError>) -> Option<TaskId> {
    let read = match members.get("id") {
        None => Err("is required".to_owned()),
        Some(value) => TaskId::parse(value),
    };
    read.map_err(|message| errors.push(FieldError::new("id", message))).ok()
}

fn task<B: ParseFromJSON, T>(
    members: &mut Map<String, Value>,
    read: impl FnOnce(B) -> Result<T, ApiError>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let body = match members.remove("task") {
        None => Err("is required"),
        Some(task @ Value::Object(_)) => B::parse_from_json(Some(task)).map_err(|_| "must be an object"),
        Some(_) => Err("must be an object"),
    };
    match body.map(read) {
        Ok(Ok(task)) => return Some(task),
        Ok(Err(ApiError::Invalid(fields))) => {
            errors.extend(
                fields.into_iter().map(|error| FieldError::new(format!("task.{}", error.field), error.message)),
            );
        }
        Ok(Err(_)) => errors.push(FieldError::new("task", "cannot be read")),
        Err(message) => errors.push(FieldError::new("task", message)),
    }
    None
}

impl Wire for Operations {
    fn schema() -> MetaSchema {
        let id = || MetaSchemaRef::Inline(Box::new(TaskId::schema()));
        let form = |title: &str, op: &str, others: Vec<(&'static str, MetaSchemaRef)>| {
            let op = MetaSchemaRef::Inline(Box::new(words_schema([op])));
            let properties: Vec<_> = std::iter::once(("op", op)).chain(others).collect();
            MetaSchemaRef::Inline(Box::new(MetaSchema {
                title: Some(title.to_owned()),
                required: properties.iter().map(|(name, _)| *name).collect(),
                properties,
                ..MetaSchema::new("object")
            }))
        };
        let anything = MetaSchema {
            title: Some("Anything else".to_owned()),
            description: Some("Is refused: alone, or with `atomic: true` together with everything."),
            ..MetaSchema::ANY
        };
        let item = MetaSchema {
            any_of: vec![
                form("Create", "create", vec![("task", NewTaskBody::schema_ref())]),
                form("Update", "update", vec![("id", id()), ("task", ChangeBody::schema_ref())]),
                form("Delete", "delete", vec![("id", id())]),
                MetaSchemaRef::Inline(Box::new(anything)),
            ],
            ..MetaSchema::ANY
        };
        MetaSchema {
            items: Some(Box::new(MetaSchemaRef::Inline(Box::new(item)))),
            max_items: Some(App::MAX_BULK),
            example: Some(json!([{ "op": "create", "task": { "title": "Water the plants" } }])),
            ..MetaSchema::new("array")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let items = value.as_array().ok_or("must be an array")?;
        if items.len() > App::MAX_BULK {
            return Err(format!("must have at most {} items", App::MAX_BULK));
        }
        Ok(Self(items.clone()))
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_with_an_operation_is_named_at_once() {
        let bad = json!({ "op": "update", "id": 7, "task": { "title": "", "status": "done" } });
        let TaskOperation::Unreadable(errors) = operation(bad) else { panic!("refused") };
        assert_eq!(errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), ["id", "task.title", "task.status"]);
        for bad in [json!(7), json!({}), json!({ "op": "create" }), json!({ "op": "create", "task": [] })] {
            assert!(matches!(operation(bad.clone()), TaskOperation::Unreadable(errors) if errors.len() == 1), "{bad}");
        }
    }

    #[test]
    fn fields_are_named_by_their_place_in_the_request() {
        let items = vec![
            (1, FieldError::new("reminder_minutes", "needs due_at").into()),
            (2, Error::NotFound("task")),
            (3, Error::Invalid(vec![FieldError::new("", "must be an object")])),
        ];
        let ApiError::Invalid(errors) = failed(Error::Items(items)) else { panic!("invalid") };
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["operations[1].task.reminder_minutes", "operations[2].id", "operations[3]"]);
    }
}
