//! Workspaces with one wrong thing planted in them, and the one as it is meant to be.

use serde_json::{Value, json};

use super::*;

/// A workspace, as lines of `from kind to`; a name that begins with a dot is a package from outside.
const MEANT: &[(&str, Option<&str>, &str)] = &[
    ("magnetar-core", None, ".serde"),
    ("magnetar-core", Some("dev"), ".rand"),
    ("magnetar-core", Some("build"), ".tempfile"),
    ("magnetar-embedded", None, "magnetar-core"),
    ("magnetar-embedded", Some("dev"), "magnetar-memory"),
    ("magnetar-memory", None, "magnetar-core"),
    ("magnetar-memory", None, "magnetar-embedded"),
    ("magnetar-memory", Some("dev"), "magnetar-memory"),
    ("magnetar-memory", Some("dev"), "magnetar-testkit"),
    ("magnetar-sqlite", None, "magnetar-core"),
    ("magnetar-sqlite", None, "magnetar-embedded"),
    ("magnetar-sqlite", None, ".rusqlite"),
    ("magnetar-sqlite", Some("dev"), ".tokio"),
    ("magnetar-state", None, "magnetar-core"),
    ("magnetar-redis", None, "magnetar-state"),
    ("magnetar-redis", None, "magnetar-resilience"),
    ("magnetar-worker", None, "magnetar-core"),
    ("magnetar-worker", None, ".tokio"),
    ("magnetar-worker", Some("dev"), "magnetar-memory"),
    ("magnetar", None, "magnetar-sqlite"),
    ("magnetar", None, "magnetar-worker"),
    ("magnetar-cli", None, "magnetar"),
    ("magnetar-cli", None, "magnetar-worker"),
    ("magnetar-testkit", None, "magnetar-core"),
    ("magnetar-bench", None, "magnetar"),
    ("magnetar-bench", Some("dev"), "magnetar-testkit"),
    (".tokio", None, ".mio"),
    ("xtask", None, ".serde"),
];

type Line<'a> = (&'a str, Option<&'a str>, &'a str);

fn workspace(planted: &[Line]) -> Metadata {
    let lines: Vec<_> = MEANT.iter().chain(planted).copied().collect();
    let mut names: Vec<_> = lines.iter().flat_map(|&(from, _, to)| [from, to]).collect();
    names.sort_unstable();
    names.dedup();
    let metadata = json!({
        "packages": names.iter().map(|name| package(name, &lines)).collect::<Value>(),
        "workspace_members": names.iter().filter(|name| !name.starts_with('.')).collect::<Vec<_>>(),
        "resolve": { "nodes": names.iter().map(|name| node(name, &lines)).collect::<Value>() },
    });
    serde_json::from_value(metadata).unwrap()
}

fn package(name: &str, lines: &[Line]) -> Value {
    let from_here = lines.iter().filter(|(from, ..)| *from == name);
    let dependencies: Value =
        from_here.map(|(_, kind, to)| json!({ "name": to.trim_start_matches('.'), "kind": kind })).collect();
    json!({ "id": name, "name": name.trim_start_matches('.'), "dependencies": dependencies, "features": {} })
}

fn node(name: &str, lines: &[Line]) -> Value {
    let from_here = lines.iter().filter(|(from, ..)| *from == name);
    let deps: Value = from_here.map(|(_, kind, to)| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] })).collect();
    json!({ "id": name, "deps": deps })
}

fn check(planted: &[Line], expected: &[&str]) {
    assert_eq!(faults(&workspace(planted)), expected, "{planted:?}");
}

#[test]
fn workspace_as_it_is_meant_passes() {
    check(&[], &[]);
}

#[test]
fn wrong_arrow_is_refused_with_both_crates_and_the_rule() {
    let backend = "a backend uses the engine and the core, never another backend";
    let worker = "the worker knows the trait, and its tests one backend: memory";
    let cases = [
        ("magnetar-memory", "magnetar-sqlite", backend),
        ("magnetar-sqlite", "magnetar-state", backend),
        ("magnetar-worker", "magnetar-memory", worker),
        ("magnetar-core", "magnetar-resilience", "the core uses no crate of the workspace"),
        ("magnetar-state", "magnetar-resilience", "state uses the core and files, and its tests the backends"),
        ("magnetar-worker", "magnetar-testkit", "the testkit is only ever a dev-dependency"),
        ("magnetar-bench", "magnetar-testkit", "the testkit is only ever a dev-dependency"),
        ("magnetar", "magnetar-cli", "nothing is built on the command line"),
        ("magnetar-bench", "magnetar-cli", "nothing is built on the command line"),
        ("magnetar-cli", "magnetar-bench", "nothing is built on the benches"),
        ("magnetar-embedded", "xtask", "nothing is built on xtask"),
        ("xtask", "magnetar-core", "xtask uses no crate of the workspace"),
    ];
    for (from, to, rule) in cases {
        let fault = format!("{from} must not use {to}: {rule}");
        check(&[(from, None, to)], &[&fault]);
        check(&[(from, Some("build"), to)], &[&fault]);
    }
}

#[test]
fn wrong_arrow_of_tests_is_refused() {
    let cases = [
        ("xtask", "magnetar-testkit", "xtask uses no crate of the workspace"),
        ("magnetar-core", "magnetar-memory", "the core uses no crate of the workspace"),
        ("magnetar-sqlite", "magnetar-memory", "a backend uses the engine and the core, never another backend"),
    ];
    for (from, to, rule) in cases {
        check(&[(from, Some("dev"), to)], &[&format!("{from} must not use {to} in its tests: {rule}")]);
    }
}

#[test]
fn crate_without_a_layer_is_refused() {
    let fault = "magnetar-extra has no layer: name it in the table, xtask/src/layers/table.rs";
    check(&[("magnetar-extra", None, "magnetar-core")], &[fault]);
}

#[test]
fn runtime_in_the_core_is_refused_with_the_way_there() {
    let rule = "the core does no I/O, has no runtime and draws no random number";
    let faults = faults(&workspace(&[("magnetar-core", None, ".between"), (".between", None, ".tokio")]));
    let expected = [
        format!("magnetar-core must not reach tokio, but does (magnetar-core → between → tokio): {rule}"),
        format!("magnetar-core must not reach mio, but does (magnetar-core → between → tokio → mio): {rule}"),
    ];
    assert_eq!(faults.get(..2), Some(&expected[..]));
}

#[test]
fn runtime_under_a_backend_is_refused() {
    let rule = "the engine and its backends run under any executor and under none";
    let fault = format!("magnetar-sqlite must not reach tokio, but does (magnetar-sqlite → tokio): {rule}");
    check(&[("magnetar-sqlite", None, ".tokio")], &[&fault]);
}

#[test]
fn what_tests_and_build_scripts_need_does_not_count_in_a_tree() {
    check(&[("magnetar-core", Some("dev"), ".tokio"), ("magnetar-core", Some("build"), ".rusqlite")], &[]);
}

#[test]
fn feature_that_removes_is_refused() {
    let package = |features: Value| {
        let package = json!({ "id": "a", "name": "magnetar", "dependencies": [], "features": features });
        json!({ "packages": [package], "workspace_members": ["a"], "resolve": { "nodes": [] } })
    };
    let metadata =
        serde_json::from_value(package(json!({ "default": [], "nodes": [], "no-sqlite": [], "disable_wal": [] }))).unwrap();
    assert_eq!(
        faults(&metadata),
        [
            "magnetar: feature `disable_wal` removes; features only add",
            "magnetar: feature `no-sqlite` removes; features only add",
        ]
    );
}
