//! Values that people and programs type: names, addresses, texts, words to search for.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use taskflow_core::{
    ChannelKind, Comment, Description, EmailAddress, IdempotencyKey, JobName, Locale, Location, MeetingTitle,
    MeetingUrl, NamedAddress, NodeId, NoticeKind, PersonName, TaskQuery, TaskSort, Title, Username, fold, search_key,
};

/// Checks that an accepted value is written in a form that is read as the same value.
fn taken<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        let again = written.parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&value), "{written:?} is not read as it was written");
    }
}

fuzz_target!(|text: &str| {
    taken::<Comment>(text);
    taken::<Description>(text);
    taken::<EmailAddress>(text);
    taken::<JobName>(text);
    taken::<Locale>(text);
    taken::<Location>(text);
    taken::<MeetingTitle>(text);
    taken::<MeetingUrl>(text);
    taken::<NoticeKind>(text);
    taken::<PersonName>(text);
    taken::<Title>(text);
    taken::<Username>(text);
    let _ = text.parse::<ChannelKind>();
    let _ = text.parse::<IdempotencyKey>();
    let _ = text.parse::<NamedAddress>();
    let _ = text.parse::<NodeId>();
    let _ = text.parse::<TaskSort>();
    for key in [fold(text), search_key(text)] {
        assert!(key.len() <= 64 * (text.len() + 1), "a key grows with its text only");
    }
    assert_eq!(fold(&fold(text)), fold(text), "folding twice is folding once");
    assert_eq!(search_key(&search_key(text)), search_key(text), "folding twice is folding once");
    let _ = TaskQuery::words(text);
});
