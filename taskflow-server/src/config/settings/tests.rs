use super::*;

#[test]
fn names_are_unique_and_meanings_are_full_sentences() {
    for (index, setting) in SETTINGS.iter().enumerate() {
        let Setting { name, meaning, .. } = setting;
        assert!(SETTINGS[..index].iter().all(|other| other.name != *name), "{name}");
        assert!(!meaning.contains('\n') && !meaning.contains("  ") && meaning.ends_with('.'), "{name}: {meaning}");
    }
}

#[test]
fn every_section_has_settings() {
    for (heading, first) in SECTIONS {
        assert_eq!(Setting::named(first).map(Setting::section), Some(heading));
    }
    assert_eq!(Setting::named("LOG").map(Setting::section), Some("Process"));
}

#[test]
fn a_setting_is_found_in_either_case_and_has_a_flag() {
    assert_eq!(Setting::named("smtp_server").map(Setting::flag).as_deref(), Some("smtp-server"));
    assert!(Setting::named("SMTP_SERVR").is_none());
}

#[test]
fn secrets_are_marked() {
    let secrets: Vec<_> = SETTINGS.iter().filter(|setting| setting.secret).map(|setting| setting.name).collect();
    assert_eq!(secrets, ["SECRET_KEY", "SECRET_KEY_PREVIOUS", "SMTP_PASSWORD", "INBOUND_SECRET"]);
}
