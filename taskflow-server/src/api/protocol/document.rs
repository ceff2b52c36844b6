//! Completes the OpenAPI document: the refusals of an operation follow from what it takes, and from its return type
//! (`refuses.rs`).

use std::collections::BTreeSet;

use poem::http::StatusCode;
use serde_json::{Map, Value, json};
use taskflow_core::{TZDB_VERSION, Zone};

use super::wire::ZONE_FORMAT;
use crate::api::admin::ADMINISTRATOR;

/// Answers whatever comes.
const HEALTH: &str = "/health";

pub(in crate::api) const DESCRIPTION: &str = "Tasks, meetings, reminders and the mail they cause.\n\n\
Times are RFC 3339 with an offset and are answered in UTC with microseconds. Unknown members of a body are ignored. \
Every path works with and without its trailing slash. Refusals are problem details (RFC 9457): `code` tells them apart, \
and a 422 names every field that does not fit. Every answer \
carries `X-Request-Id`. `GET /ws` and `GET /ws/{user_id}` open a WebSocket that tells every change as it happens: the messages of \
`GET /api/events`, with the token as `Authorization`, as the subprotocols `bearer, <token>` or as the first message \
`{\"type\": \"auth\", \"token\": …}`; it is closed with 4401 without a token that counts, 4403 for another person's id, 4408 when it \
is not read. A host name that is not one of the service is answered by 421 with the code `wrong_host`. Only what is no HTTP \
request at all is answered by 400, 414 or 431 without a body.";

/// Paths that end in what kind of file they are, and what the router has instead: it knows only whole segments.
const FILES: [(&str, &str); 1] = [("/api/meetings/{id}/ics", "/api/meetings/{id}.ics")];

/// Paths that the router beneath has with a slash at the end. The document leaves it out, as every path works without.
pub(crate) const SLASHED: [&str; 4] = ["/api/tasks", "/api/tasks/summary", "/api/meetings", "/api/meetings/upcoming"];

/// Schemas that get a name of their own: generators make up names for others, which collide.
const NAMED: [(&str, &str); 9] = [
    ("/ChangeData/properties/changes/additionalProperties", "Difference"),
    ("/TaskEvent/properties/changes/additionalProperties", "Difference"),
    ("/Notifications/properties/quiet_hours", "QuietHours"),
    ("/NotificationsChange/properties/quiet_hours", "QuietHours"),
    ("/Notifications/properties/kinds", "NotificationKinds"),
    ("/NotificationsChange/properties/kinds", "NotificationKindsChange"),
    ("/TaskBulk/properties/operations/items/anyOf/0", "CreateOperation"),
    ("/TaskBulk/properties/operations/items/anyOf/1", "UpdateOperation"),
    ("/TaskBulk/properties/operations/items/anyOf/2", "DeleteOperation"),
];

/// The document that is served, from the one the operations give.
pub(in crate::api) fn complete(spec: &str) -> Value {
    let mut document: Value = serde_json::from_str(spec).unwrap_or_default();
    document["servers"] = json!([{ "url": "/", "description": "This server." }]);
    document["info"]["license"] = json!({ "name": "MIT", "url": "https://opensource.org/license/mit" });
    for (path, item) in members(&mut document["paths"]) {
        for (method, operation) in members(item) {
            if let Some(parameters) = operation.get_mut("parameters") {
                forget_examples(parameters);
                separate_by_commas(parameters);
            }
            let is_for_administrators = remove_administrator_mark(operation);
            let mut statuses = refusals(path, method, operation);
            statuses.extend(is_for_administrators.then_some(404));
            if let Some(body) = operation.get_mut("requestBody") {
                keep_json(&mut body["content"]);
            }
            if operation.get("security").is_none() {
                operation["security"] = json!([]);
            }
            let responses = &mut operation["responses"];
            for status in statuses {
                responses[status.to_string()] = json!({ "$ref": format!("#/components/responses/{}", name(status)) });
            }
            for (_, response) in members(responses) {
                finish_response(response);
            }
        }
    }
    for (routed, path) in FILES {
        if let Some(item) = document["paths"].as_object_mut().and_then(|paths| paths.remove(routed)) {
            document["paths"][path] = item;
        }
    }
    for path in SLASHED {
        if let Some(item) = document["paths"].as_object_mut().and_then(|paths| paths.remove(&format!("{path}/"))) {
            document["paths"][path] = item;
        }
    }
    let components = &mut document["components"];
    set_examples(&mut components["schemas"]);
    components["responses"] = problem_responses();
    components["headers"] = json!({
        "X-Request-Id": { "description": "Names this request in the log.", "schema": { "type": "string" } }
    });
    for (place, name) in NAMED {
        name_schema(&mut components["schemas"], place, name);
    }
    // OpenAPI 3.0 requires the member even when there are none.
    components["securitySchemes"]["password"]["flows"]["password"]["scopes"] = json!({});
    // Not an enum: it would grow with each release of the database, and break every generated client with it.
    document["x-time-zones"] = json!({ "tzdb": TZDB_VERSION.unwrap_or_default(), "names": Zone::names() });
    tidy(&mut document);
    document
}

/// Removes the mark of an operation for administrators from its security schemes, and returns whether it was there.
fn remove_administrator_mark(operation: &mut Value) -> bool {
    let Some(schemes) = operation.get_mut("security").and_then(Value::as_array_mut) else { return false };
    let all = schemes.len();
    schemes.retain(|scheme| scheme.get(ADMINISTRATOR).is_none());
    schemes.len() < all
}

/// Swagger UI sends the examples of parameters as values: optional ones would filter lists and repeat requests that
/// nobody asked for.
fn forget_examples(parameters: &mut Value) {
    for parameter in parameters.as_array_mut().into_iter().flatten().filter(|own| own["required"] != true) {
        parameter["schema"].as_object_mut().and_then(|schema| schema.remove("example"));
    }
}

/// Lists are sent as one parameter, `status=pending,in_progress`; several parameters are understood as well.
fn separate_by_commas(parameters: &mut Value) {
    let lists = parameters.as_array_mut().into_iter().flatten().filter(|own| own["schema"]["type"] == "array");
    for parameter in lists {
        parameter["style"] = json!("form");
        parameter["explode"] = json!(false);
    }
}

/// Of several media types with one schema only JSON is documented: generators make one method of each, under one name.
/// The form of OAuth2 and JSON Merge Patch work all the same, and descriptions say so.
fn keep_json(content: &mut Value) {
    let Some(content) = content.as_object_mut() else { return };
    if let Some(schema) = content.get("application/json").map(|json| json["schema"].clone()) {
        content.retain(|media, own| media == "application/json" || own["schema"] != schema);
    }
}

/// Moves a schema among the named ones and leaves a reference, with the description that belongs to its place.
fn name_schema(schemas: &mut Value, place: &str, name: &str) {
    let Some(schema) = schemas.pointer_mut(place) else { return };
    let mut own = schema.take();
    let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
    let mut left = Map::new();
    for member in ["description", "nullable"] {
        if let Some(value) = own.as_object_mut().and_then(|own| own.remove(member)) {
            left.insert(member.to_owned(), value);
        }
    }
    if left.contains_key("nullable") {
        // OpenAPI 3.0 knows the one only beside the other.
        left.insert("type".to_owned(), own["type"].clone());
    }
    *schema = if left.is_empty() {
        reference
    } else {
        left.insert("allOf".to_owned(), json!([reference]));
        Value::Object(left)
    };
    if schemas[name].is_null() {
        schemas[name] = own;
    }
}

/// Swagger UI sends the examples of bodies too: they must still be in the future, and must lock nobody out.
fn set_examples(schemas: &mut Value) {
    for schema in ["NewTask", "TaskChange"] {
        schemas[schema]["properties"]["due_at"]["example"] = json!("2030-03-29T08:00:00Z");
    }
    let profile = &mut schemas["ProfileChange"];
    for member in ["email", "password", "current_password"] {
        profile["properties"][member].as_object_mut().and_then(|schema| schema.remove("example"));
    }
    // Without it, values are made up for the members that have no example.
    profile["example"] = json!({ "time_zone": "Europe/Berlin", "locale": "en" });
}

/// Returns the statuses with which an operation refuses: by what it takes, and by its return type.
fn refusals(path: &str, method: &str, operation: &Value) -> BTreeSet<u16> {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let takes = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
    let named = |name: &str| {
        let same = |parameter: &Value| parameter["name"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name));
        parameters.iter().any(same)
    };
    let rules: [(bool, &[u16]); 9] = [
        // Whatever is not free of rate limits.
        (path != HEALTH, &[429]),
        (operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()), &[401]),
        (operation.get("requestBody").is_some(), &[400, 408, 413, 415, 422]),
        // Query parameters that are unknown or do not fit.
        (path.starts_with("/api/") || takes("query"), &[422]),
        (path.contains('{'), &[404]),
        (takes("header"), &[400]),
        (named("If-Match"), &[412]),
        (named("Idempotency-Key"), &[409, 422]),
        (matches!(method, "put" | "patch" | "delete"), &[404, 409]),
    ];
    let by_rule = rules.into_iter().filter(|(applies, _)| *applies).flat_map(|(_, statuses)| statuses).copied();
    let responses = operation["responses"].as_object().into_iter().flatten();
    let by_type = responses.filter_map(|(status, _)| status.parse().ok()).filter(|status| *status >= 400);
    by_rule.chain(by_type).collect()
}

/// One reusable response for each status that refuses.
fn problem_responses() -> Value {
    let statuses = [400, 401, 403, 404, 408, 409, 410, 412, 413, 415, 422, 429, 500, 503];
    let response = |status: u16| {
        let mut headers = request_id();
        let header = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
        match status {
            401 => {
                headers["WWW-Authenticate"] = header(
                    "`Bearer`; with `error=\"invalid_token\"` for a token that does not count, and with \
                     `error=\"insufficient_user_authentication\"` and `max_age` for an operation that needs a more recent \
                     proof of the password (RFC 9470).",
                );
            }
            415 => {
                headers["Accept-Encoding"] =
                    header("`identity`: the body had a content coding, and none is supported.");
            }
            429 => {
                headers["Retry-After"] = header("Seconds after which to try again.");
                headers["RateLimit"] = header("What is left of the limit: `\"sign-in\";r=0;t=42`.");
                headers["RateLimit-Policy"] = header("The limit and its window in seconds: `\"sign-in\";q=5;w=300`.");
            }
            503 => headers["Retry-After"] = header("Seconds after which to try again."),
            _ => (),
        }
        let response = json!({
            "description": phrase(status),
            "headers": headers,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        (name(status), response)
    };
    Value::Object(statuses.into_iter().map(response).collect::<Map<_, _>>())
}

/// Adds what every answer has, and names what it holds by its plain media type.
fn finish_response(response: &mut Value) {
    let Some(response) = response.as_object_mut().filter(|response| !response.contains_key("$ref")) else { return };
    if let Some(Value::Object(content)) = response.get_mut("content") {
        let plain = |(media, form): (String, Value)| (media.split(';').next().unwrap_or_default().to_owned(), form);
        *content = std::mem::take(content).into_iter().map(plain).collect();
    }
    if response.get("description").is_none_or(|description| description == "") {
        response.insert("description".to_owned(), json!("OK"));
    }
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    for name in ["ETag", "Link", "Location"] {
        if let Some(header) = headers.as_object_mut().and_then(|headers| headers.remove(&name.to_uppercase())) {
            headers[name] = header;
        }
    }
    headers["X-Request-Id"] = request_id()["X-Request-Id"].take();
}

/// Describes time zones by an example, writes whole numbers without a fraction, and `null` among the words of a choice that
/// may be null: JSON Schema would refuse it otherwise. A description beside a reference is said once, and what may be
/// anything is not called nullable.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("format").is_some_and(|format| format == ZONE_FORMAT) {
                members.remove("format");
            }
            if let Some(Value::Array(parts)) = members.get_mut("allOf")
                && let [_, said] = parts.as_slice()
                && said.as_object().is_some_and(|said| said.keys().eq(["description"]))
            {
                parts.truncate(1);
            }
            if members.keys().eq(["nullable"]) {
                members.clear();
            }
            if !members.contains_key("type")
                && members.contains_key("nullable")
                && let Some(choice) =
                    members.get_mut("anyOf").and_then(Value::as_array_mut).and_then(|all| all.last_mut())
            {
                choice["nullable"] = json!(true);
                members.remove("nullable");
            }
            let nullable = members.get("nullable") == Some(&Value::Bool(true));
            if let (true, Some(Value::Array(words))) = (nullable, members.get_mut("enum")) {
                words.push(Value::Null);
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|n| number.is_f64() && n.fract() == 0.0 && n.abs() < 1e15) {
                *value = json!(whole as i64);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => (),
    }
}

fn request_id() -> Value {
    json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } })
}

fn phrase(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}

fn name(status: u16) -> String {
    phrase(status).replace(' ', "")
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

#[cfg(test)]
mod tests;
