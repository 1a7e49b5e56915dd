//! The house rules over the real tree. That each rule can fail is shown beside the rule.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use tidy::graph::{self, Member};
use tidy::rules::{dependencies, documents, licences, manifests, signatures, sources, text};
use tidy::tree::{self, File};
use tidy::{Problem, verdict};

static FILES: LazyLock<Vec<File>> =
    LazyLock::new(|| tree::read(&tree::root()).expect("the tree can be read"));
static MEMBERS: LazyLock<BTreeMap<String, Member>> =
    LazyLock::new(|| graph::members(&tree::root()).expect("cargo metadata answers"));

#[track_caller]
fn none(problems: Vec<Problem>) {
    if let Err(text) = verdict(problems) {
        panic!("{text}");
    }
}

fn rust_files() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.is_rust())
}

fn document(path: &str) -> &'static str {
    FILES.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
}

#[test]
fn crates_import_only_what_the_house_allows() {
    none(dependencies::directions(&MEMBERS, dependencies::HOUSE));
    none(dependencies::ghosts(&MEMBERS, dependencies::HOUSE, dependencies::ABSENCES));
}

#[test]
fn what_must_be_absent_is_absent() {
    for absence in dependencies::ABSENCES {
        let tree = graph::normal_tree(&tree::root(), absence.of).expect("cargo tree answers");
        assert!(tree.len() > 5, "{} compiles something, so the tree was read", absence.of);
        none(dependencies::absent(absence, &tree));
    }
}

#[test]
fn kept_packages_are_named_by_their_keepers_alone() {
    none(dependencies::kept_in_manifests(&MEMBERS));
    none(dependencies::kept_in_sources(&MEMBERS, &FILES));
}

#[test]
fn public_signatures_show_no_exchangeable_package() {
    none(rust_files().flat_map(signatures::leaks).collect());
}

#[test]
fn licences_are_the_listed_ones() {
    let tree = graph::whole_tree(&tree::root()).expect("cargo tree answers");
    assert!(tree.len() > 100, "the whole tree was read");
    none(licences::expressions(&tree, licences::EXPRESSIONS));
    none(licences::deny_agrees(&tree, document("deny.toml")));
}

#[test]
fn manifests_state_the_same_things() {
    none(manifests::statements(&MEMBERS));
    none(manifests::lints(&MEMBERS, &FILES));
    none(manifests::strays(&MEMBERS, &FILES));
}

#[test]
fn nothing_is_stubbed_ignored_or_silenced() {
    none(rust_files().flat_map(sources::forbidden).collect());
    none(rust_files().flat_map(sources::ignored_examples).collect());
}

#[test]
fn public_modules_say_what_they_are_for() {
    none(sources::module_docs(&FILES));
}

#[test]
fn sources_fit_a_mind() {
    none(rust_files().flat_map(sources::too_long).collect());
}

#[test]
fn money_is_never_a_float() {
    none(rust_files().flat_map(|file| sources::floats(file, sources::FLOATS_ALLOWED)).collect());
    none(sources::stale_allowances(&FILES, sources::FLOATS_ALLOWED));
}

#[test]
fn the_engine_names_no_vendor() {
    none(rust_files().flat_map(sources::vendor_names).collect());
}

#[test]
fn text_is_clean() {
    none(FILES.iter().flat_map(text::forbidden).collect());
    none(FILES.iter().flat_map(text::blanks).collect());
    none(FILES.iter().flat_map(text::lock_files).collect());
    none(rust_files().flat_map(sources::tabs).collect());
}

#[test]
fn the_map_names_every_crate() {
    let names = MEMBERS.keys().map(String::as_str);
    none(documents::map_is_complete(document("ARCHITECTURE.md"), names, &FILES));
}

#[test]
fn the_change_log_says_what_changed() {
    none(documents::change_log(document("CHANGELOG.md")));
}

#[test]
fn decisions_have_one_form() {
    assert!(FILES.iter().any(|file| file.path.starts_with("docs/decisions/")), "decisions are written down");
    none(documents::decisions(&FILES));
}

#[test]
fn links_lead_somewhere() {
    none(documents::links(&FILES));
}
