//! Arrows that must never exist (ARCHITECTURE.md): read from the manifests and the sources.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use syn::visit::Visit;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packages() -> Vec<Package> {
    MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo metadata").packages
}

/// What a package is built with; tests may bring more.
fn dependencies(package: &Package) -> Vec<&str> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str()).collect()
}

pub(crate) fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

/// The lines of code of a folder that contain one of these, tests and comments not counted.
fn lines_with(folder: &str, needles: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()) {
            let is_comment = line.trim_start().starts_with("//");
            if !is_comment && needles.iter().any(|needle| line.contains(needle)) {
                found.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    found
}

#[test]
fn core_knows_no_runtime_no_database_no_network() {
    let packages = packages();
    let core = packages.iter().find(|package| package.name == "taskflow-core").expect("the core");
    for forbidden in ["tokio", "sqlx", "lettre", "poem", "poem-openapi", "reqwest", "figment"] {
        assert!(!dependencies(core).contains(&forbidden), "core depends on {forbidden}");
    }
    assert_eq!(lines_with("taskflow-core/src", &["std::env::", "std::net::", "std::fs::"]), [""; 0]);
}

#[test]
fn adapters_know_core_and_not_each_other_and_sql_stores_share_the_stored_form() {
    let is_adapter = |name: &str| name == "taskflow-mail" || name.starts_with("taskflow-store-");
    let packages = packages();
    let adapters: Vec<_> = packages.iter().filter(|package| is_adapter(package.name.as_str())).collect();
    assert!(adapters.len() >= 3);
    for adapter in adapters {
        let ours: Vec<_> = dependencies(adapter).into_iter().filter(|name| name.starts_with("taskflow")).collect();
        let is_sql_store = ["taskflow-store-postgres", "taskflow-store-sqlite"].contains(&adapter.name.as_str());
        let expected: &[&str] =
            if is_sql_store { &["taskflow-core", "taskflow-store-sql"] } else { &["taskflow-core"] };
        assert_eq!(ours, expected, "{}", adapter.name);
    }
}

#[test]
fn the_loops_need_no_http_server_no_command_line_and_no_adapter() {
    let packages = packages();
    let runtime = packages.iter().find(|package| package.name == "taskflow-runtime").expect("the runtime");
    let dependencies = dependencies(runtime);
    let ours: Vec<_> = dependencies.iter().filter(|name| name.starts_with("taskflow")).collect();
    assert_eq!(ours, [&"taskflow-core"]);
    for forbidden in ["poem", "poem-openapi", "hyper", "clap", "argon2", "sqlx", "lettre"] {
        assert!(!dependencies.contains(&forbidden), "the runtime depends on {forbidden}");
    }
}

#[test]
fn adapters_call_no_use_case() {
    for folder in
        ["taskflow-mail/src", "taskflow-store-postgres/src", "taskflow-store-sql/src", "taskflow-store-sqlite/src"]
    {
        assert_eq!(lines_with(folder, &["App::", "AppBuilder", "taskflow_core::App"]), [""; 0]);
    }
}

#[test]
fn entities_and_rules_know_neither_ports_nor_use_cases_and_never_wait() {
    let files = "user task meeting meeting/participant meeting/merge meeting/pending_update meeting/standing reminder retry snooze \
                 notice delivery mail event changes session token idempotency values time job schedule digest statistics \
                 preferences suppression page feed node scope limit";
    for file in files.split_whitespace() {
        let text = fs::read_to_string(root().join(format!("taskflow-core/src/{file}.rs"))).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for forbidden in ["crate::ports", "crate::app", ".await", "async fn"] {
            assert!(!code.contains(forbidden), "{file}.rs has {forbidden}");
        }
    }
}

#[test]
fn no_entity_has_a_wire_form() {
    struct Entities(Vec<String>);
    impl<'ast> Visit<'ast> for Entities {
        fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
            for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("derive")) {
                attribute
                    .parse_nested_meta(|meta| {
                        if meta.path.is_ident("Serialize") || meta.path.is_ident("Deserialize") {
                            self.0.push(item.ident.to_string());
                        }
                        Ok(())
                    })
                    .expect("a derive");
            }
        }
    }
    let mut found = Entities(Vec::new());
    for file in ["user", "task", "meeting", "meeting/participant", "session", "token", "delivery", "mail"] {
        let text = fs::read_to_string(root().join(format!("taskflow-core/src/{file}.rs"))).expect("a source file");
        found.visit_file(&syn::parse_file(&text).expect("Rust"));
    }
    assert_eq!(found.0, [""; 0]);
}

#[test]
fn sql_stands_in_store_crates_only() {
    let verbs = ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE ", "\"BEGIN ", "\"CREATE TABLE"];
    for folder in ["taskflow-core/src", "taskflow-mail/src", "taskflow-runtime/src", "taskflow-server/src", "src"] {
        assert_eq!(lines_with(folder, &verbs), [""; 0]);
    }
}

/// The modules of the server from the bottom up: each uses only those before it.
const SERVER: [&str; 12] =
    ["telemetry", "limits", "disk", "config", "hosts", "auth", "samples", "service", "api", "http", "wiring", "cli"];

#[test]
fn modules_of_the_server_use_only_those_below_them() {
    let level = |module: &str| SERVER.iter().position(|known| *known == module);
    let mut seen = [false; SERVER.len()];
    let mut wrong = Vec::new();
    for (path, text) in sources("taskflow-server/src") {
        let inside = path.strip_prefix(root().join("taskflow-server/src")).expect("a file of the server");
        let module = inside.iter().next().expect("a name").to_string_lossy();
        let module = module.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = level(module).unwrap_or_else(|| panic!("{module} has no place in the order of modules"));
        seen[own] = true;
        for used in text.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if level(&used).is_some_and(|used| used > own) {
                wrong.push(format!("{} uses {used}", inside.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(seen, [true; SERVER.len()], "a module that is gone stands in the order");
}

#[test]
fn handlers_reach_stores_and_mailers_through_use_cases_only() {
    let needles = [
        "ports::Store",
        "ports::Outbox",
        "Arc<dyn Store>",
        "Arc<dyn Mailer>",
        ".store.",
        ".mailer.",
        "SqliteStore",
        "PgStore",
    ];
    assert_eq!(lines_with("taskflow-server/src/api", &needles), [""; 0]);
}

#[test]
fn one_module_names_the_adapters() {
    let adapters = ["taskflow_store_sqlite::", "taskflow_store_postgres::", "SmtpMailer", "DevMailbox"];
    let elsewhere: Vec<_> = lines_with("taskflow-server/src", &adapters)
        .into_iter()
        .filter(|line| !line.contains("/wiring.rs:") && !line.contains("/wiring/") && !line.contains("/cli/"))
        .collect();
    assert_eq!(elsewhere, [""; 0]);
}

#[test]
fn ports_ask_nobody_what_they_are_capable_of() {
    assert_eq!(lines_with("taskflow-core/src/ports", &["fn supports", "fn can_", "fn has_", "fn is_"]), [""; 0]);
}

#[test]
fn one_tls_stack_and_no_openssl() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    for forbidden in ["openssl-sys", "native-tls", "aws-lc-sys"] {
        assert!(!lock.contains(&format!("name = \"{forbidden}\"")), "{forbidden} is in the build");
    }
    assert!(lock.contains("name = \"ring\""));
}

/// chrono-tz comes with the scheduler that ticks, and its rules are out of date: nobody else may ask it.
#[test]
fn zones_have_one_source() {
    for package in packages() {
        assert!(!dependencies(&package).contains(&"chrono-tz"), "{} depends on chrono-tz", package.name);
    }
    for folder in ["taskflow-core/src", "taskflow-server/src", "taskflow-mail/src", "taskflow-runtime/src"] {
        assert_eq!(lines_with(folder, &["chrono_tz"]), [""; 0]);
    }
}
