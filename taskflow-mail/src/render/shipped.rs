//! The templates and words as shipped. The build script finds them below `templates/`: a notice has a folder of its own.

/// Name and source of each template.
pub(super) const SHIPPED: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// Language tag and words of each language.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("en", include_str!("../../templates/locales/en.toml")),
    ("en-US", include_str!("../../templates/locales/en-US.toml")),
    ("de", include_str!("../../templates/locales/de.toml")),
];
