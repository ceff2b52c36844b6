use std::collections::HashSet;

use serde_json::Value;

/// First words of the summaries, which become the method names and headings of generated clients.
const VERBS: [&str; 36] = [
    "Cancel", "Change", "Check", "Confirm", "Count", "Create", "Delete", "End", "Follow", "Get", "Invite", "List",
    "Pause", "Preview", "Refresh", "Register", "Remind", "Remove", "Replace", "Report", "Request", "Resend", "Reset",
    "Respond", "Restore", "Resume", "Retry", "Run", "Send", "Set", "Sign", "Suppress", "Verify", "Add", "Export",
    "Import",
];

/// Every `$ref` in the document.
fn references<'a>(value: &'a Value, found: &mut HashSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => (),
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = crate::api::openapi();
    let mut found = HashSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn trying_it_out_neither_filters_nor_changes_what_nobody_chose() {
    let document = crate::api::openapi();
    let parameters = document["paths"]["/api/tasks"]["get"]["parameters"].as_array().expect("parameters");
    assert!(parameters.len() > 5 && parameters.iter().all(|own| own["schema"].get("example").is_none()));
    let profile = &document["components"]["schemas"]["ProfileChange"];
    assert_eq!(profile["example"], serde_json::json!({ "time_zone": "Europe/Berlin", "locale": "en" }));
    let task = &document["components"]["schemas"]["NewTask"]["properties"];
    assert_eq!(task["reminder_minutes"]["example"], 15);
    assert_eq!(task["due_at"]["example"], "2030-03-29T08:00:00Z");
}

#[test]
fn every_time_zone_in_the_document_is_one() {
    let document = crate::api::openapi();
    let zone = &document["components"]["schemas"]["User"]["properties"]["time_zone"];
    assert_eq!((&zone["type"], zone.get("enum")), (&"string".into(), None));
    let names = document["x-time-zones"]["names"].as_array().expect("names");
    assert!(names.len() > 500);
    for name in names {
        let zone: taskflow_core::Zone = name.as_str().expect("a name").parse().expect("a zone");
        assert_eq!(zone.name(), name);
    }
}

#[test]
fn no_path_ends_in_a_slash_and_those_of_the_router_are_known() {
    let spec: Value = serde_json::from_str(&crate::api::service().spec()).expect("JSON");
    let paths = spec["paths"].as_object().expect("paths");
    let slashed = paths.keys().filter_map(|path| path.strip_suffix('/'));
    assert_eq!(slashed.collect::<HashSet<_>>(), HashSet::from(super::SLASHED));
    let document = crate::api::openapi();
    assert!(document["paths"].as_object().expect("paths").keys().all(|path| !path.ends_with('/')));
}

#[test]
fn no_schema_has_a_name_that_generators_import_for_themselves() {
    let document = crate::api::openapi();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for name in ["Response", "Request", "Client", "Error", "File", "Unset"] {
        assert!(!schemas.contains_key(name), "{name}");
    }
    for (_, name) in super::NAMED {
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[test]
fn every_operation_has_an_imperative_as_its_summary() {
    let document = crate::api::openapi();
    let operations = document["paths"].as_object().expect("paths").values().filter_map(Value::as_object);
    for operation in operations.flat_map(|item| item.values()) {
        let (id, summary) = (&operation["operationId"], operation["summary"].as_str().unwrap_or_default());
        let first = summary.split(' ').next().unwrap_or_default();
        assert!(VERBS.contains(&first), "{id}: {summary}");
        assert!(operation["description"].as_str().is_some_and(|text| text.ends_with(['.', '`'])), "{id}");
        assert!(operation["security"].is_array(), "{id}");
    }
}

#[test]
fn the_paths_are_spelled_as_promised_and_refusals_are_documented() {
    let document = crate::api::openapi();
    let paths: Vec<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    for path in ["/api/tasks", "/api/tasks/{id}", "/api/tasks/summary", "/api/auth/login", "/health", "/health/db"] {
        assert!(paths.contains(&path), "{path} is missing in {paths:?}");
    }
    let update = &document["paths"]["/api/tasks/{id}"]["put"]["responses"];
    for status in ["200", "400", "401", "404", "409", "412", "413", "415", "422", "500", "503"] {
        assert!(update.get(status).is_some(), "{status}");
    }
    assert_eq!(document["components"]["schemas"]["NewTask"]["required"], serde_json::json!(["title"]),);
}

#[test]
fn an_operation_refuses_by_what_it_takes_and_by_its_return_type() {
    let document = crate::api::openapi();
    let statuses = |path: &str, method: &str| {
        let responses = document["paths"][path][method]["responses"].as_object().expect("an operation");
        responses.keys().map(|status| status.parse::<u16>().expect("a status")).collect::<Vec<_>>()
    };
    assert_eq!(statuses("/health", "get"), [200], "it cannot be refused");
    assert_eq!(statuses("/health/db", "get"), [200, 429, 500, 503]);
    assert_eq!(statuses("/api/nodes", "get"), [200, 401, 404, 422, 429, 500, 503], "it takes an administrator");
    assert!(statuses("/api/email/test-summary", "post").contains(&409), "it takes an Idempotency-Key");
    assert!(statuses("/api/changes", "get").contains(&410), "its type says so");
    let security = document["paths"]["/api/nodes"]["get"]["security"].as_array().expect("schemes");
    assert!(
        security.iter().all(|scheme| scheme.get(super::ADMINISTRATOR).is_none()),
        "the mark is for this module alone"
    );
}
