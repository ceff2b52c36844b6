//! Limits on the shape of the code: lengths of files, sizes of traits, and names that mean one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;

use crate::arrows::{root, sources};

/// The crates that are part of the product; the suite and the test kit are not.
const PRODUCT: [&str; 8] = [
    "src",
    "taskflow-core/src",
    "taskflow-mail/src",
    "taskflow-runtime/src",
    "taskflow-server/src",
    "taskflow-store-postgres/src",
    "taskflow-store-sql/src",
    "taskflow-store-sqlite/src",
];
const MOST_LINES: usize = 400;
const MOST_METHODS: usize = 15;

/// Files that are still longer. Remove one when it is split; add none.
const LONGER: [&str; 0] = [];
/// Traits that still have more methods. Remove one when it is split; add none.
const LARGER: [&str; 0] = [];

/// The source files of the product without those that are only compiled for tests.
fn product() -> Vec<(PathBuf, String)> {
    let is_test =
        |path: &Path| path.ends_with("tests.rs") || path.iter().any(|part| part == "testing" || part == "testing.rs");
    let all = PRODUCT.into_iter().flat_map(sources);
    all.filter(|(path, _)| !is_test(path))
        .map(|(path, text)| (path.strip_prefix(root()).expect("a file of ours").to_owned(), text))
        .collect()
}

/// Compares what breaks a limit with the exceptions, so that the list of exceptions can only shrink.
fn assert_exceptions(found: BTreeSet<String>, known: &[&str]) {
    let known: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
    let (new, kept): (Vec<_>, Vec<_>) = (found.difference(&known).collect(), known.difference(&found).collect());
    assert!(new.is_empty(), "over the limit: {new:?}");
    assert!(kept.is_empty(), "no longer over the limit, remove from the exceptions: {kept:?}");
}

#[test]
fn no_file_of_the_product_is_longer_than_400_lines() {
    let longer = product().into_iter().filter(|(_, text)| text.lines().count() > MOST_LINES);
    assert_exceptions(longer.map(|(path, _)| path.display().to_string()).collect(), &LONGER);
}

/// The public types of a file, and the traits with more methods than there should be.
#[derive(Default)]
struct Items {
    types: Vec<String>,
    large: Vec<String>,
}

impl Items {
    fn add(&mut self, visibility: &syn::Visibility, name: &syn::Ident) {
        if matches!(visibility, syn::Visibility::Public(_)) {
            self.types.push(name.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Items {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.vis, &item.ident);
        if item.items.iter().filter(|item| matches!(item, syn::TraitItem::Fn(_))).count() > MOST_METHODS {
            self.large.push(item.ident.to_string());
        }
    }
}

fn items(text: &str) -> Items {
    let mut items = Items::default();
    items.visit_file(&syn::parse_file(text).expect("Rust"));
    items
}

#[test]
fn no_trait_has_more_than_15_methods() {
    let large: BTreeSet<_> = product().iter().flat_map(|(_, text)| items(text).large).collect();
    assert_exceptions(large, &LARGER);
}

/// The names of the public methods of each type that an application calls: the app and the handles to its use cases.
fn use_cases() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let app = product().into_iter().filter(|(path, _)| path.starts_with("taskflow-core/src/app"));
    let app = app.chain(product().into_iter().filter(|(path, _)| path.ends_with("taskflow-core/src/app.rs")));
    for (_, text) in app {
        for item in syn::parse_file(&text).expect("Rust").items {
            let syn::Item::Impl(block) = item else { continue };
            let syn::Type::Path(of) = *block.self_ty else { continue };
            let of = of.path.segments.last().expect("a name").ident.to_string();
            if of != "App" && !of.ends_with("UseCases") {
                continue;
            }
            let methods = block.items.into_iter().filter_map(|item| match item {
                syn::ImplItem::Fn(method) if matches!(method.vis, syn::Visibility::Public(_)) => {
                    Some(method.sig.ident.to_string())
                }
                _ => None,
            });
            found.entry(of).or_default().extend(methods);
        }
    }
    found
}

#[test]
fn an_app_has_its_use_cases_by_noun_at_most_15_each() {
    let found = use_cases();
    assert!(found.len() > 10 && found.contains_key("App") && found.contains_key("TaskUseCases"), "{found:?}");
    let large: Vec<_> = found.iter().filter(|(_, methods)| methods.len() > MOST_METHODS).collect();
    assert!(large.is_empty(), "over the limit: {large:?}");
}

#[test]
fn no_two_public_types_of_a_crate_have_the_same_name() {
    let mut twice = Vec::new();
    for folder in PRODUCT.into_iter().chain(["taskflow-conformance/src"]) {
        let mut known: BTreeMap<String, PathBuf> = BTreeMap::new();
        for (path, text) in sources(folder) {
            for name in items(&text).types {
                if let Some(other) = known.insert(name.clone(), path.clone()) {
                    twice.push(format!("{name} in {} and {}", other.display(), path.display()));
                }
            }
        }
    }
    assert_eq!(twice, [""; 0]);
}
