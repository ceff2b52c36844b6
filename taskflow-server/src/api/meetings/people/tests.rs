use super::*;

fn read(body: Value) -> Result<Vec<Invitee>, Vec<String>> {
    match InviteesBody::parse_from_json(Some(body)).expect("an object").read() {
        Ok(invitees) => Ok(invitees),
        Err(ApiError::Invalid(errors)) => Err(errors.into_iter().map(|error| error.field).collect()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn one_person_or_lists_of_them_are_invited() {
    for (body, count) in [
        (json!({ "email": "a@example.org" }), 1),
        (json!({ "participants": [{ "email": "a@example.org", "role": "optional" }] }), 1),
        (json!({ "participant_emails": ["a@example.org", "b@example.org"], "participants": [] }), 2),
        (json!({ "participants": [] }), 0),
    ] {
        assert_eq!(read(body.clone()).expect("people").len(), count, "{body}");
    }
}

#[test]
fn a_name_that_was_pasted_with_an_address_is_theirs_unless_another_is_given() {
    let body = json!({
        "participant_emails": [" Grace <grace@example.org>; ", "a@example.org\u{a0}"],
        "participants": [
            { "email": "Kim <kim@example.org>" },
            { "email": "\"Lovelace, Ada\" <ada@b\u{fc}cher.example>", "name": "Ada" },
        ],
    });
    let people = read(body).expect("people");
    let people: Vec<_> =
        people.iter().map(|one| (one.email.as_str(), one.name.as_ref().map(PersonName::as_str))).collect();
    let expected = [
        ("grace@example.org", Some("Grace")),
        ("a@example.org", None),
        ("kim@example.org", Some("Kim")),
        ("ada@xn--bcher-kva.example", Some("Ada")),
    ];
    assert_eq!(people, expected);
}

#[test]
fn every_person_who_does_not_fit_is_named_by_their_place() {
    let body = json!({
        "email": "nobody",
        "participant_emails": ["a@example.org", 7, "x"],
        "participants": [{ "email": "b@example.org" }, { "role": "organizer" }, "c@example.org", { "email": "" }],
    });
    let fields = [
        "participant_emails.1",
        "participant_emails.2",
        "participants.1.email",
        "participants.1.role",
        "participants.2",
        "participants.3.email",
        "email",
    ];
    assert_eq!(read(body).expect_err("refused"), fields);
    assert_eq!(read(json!({})).expect_err("refused"), ["email"]);
    assert_eq!(read(json!({ "participants": vec![json!({}); 501] })).expect_err("refused"), ["participants"]);
}

#[test]
fn an_empty_comment_is_none() {
    let read = |body: Value| ResponseBody::parse_from_json(Some(body)).expect("an object").read();
    let given = read(json!({ "response": "accepted", "comment": " " })).expect("an answer");
    assert_eq!((given.response, given.comment), (MeetingResponse::Accepted, None));
}

#[test]
fn an_answer_names_the_version_it_is_to_as_a_number_or_as_forms_send_it() {
    let read = |version: Value| {
        let body = json!({ "response": "accepted", "version": version });
        ResponseBody::parse_from_json(Some(body)).expect("an object").read().map(|given| given.version)
    };
    for (version, is) in [(json!(7), Some(7)), (json!("7"), Some(7)), (Value::Null, None)] {
        assert_eq!(read(version).expect("an answer"), is);
    }
    for version in [json!(0), json!(-1), json!("0"), json!("+1"), json!(""), json!(1.5), json!(true)] {
        assert!(matches!(read(version), Err(ApiError::Invalid(errors)) if errors[0].field == "version"));
    }
    let read = |body: Value| ResponseBody::parse_from_json(Some(body)).expect("an object").read();
    assert!(read(json!({ "response": "pending" })).is_err() && read(json!({})).is_err());
}
