//! `magnetar list`.

use insta::assert_snapshot;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

fn ids(csv: &str) -> Vec<u64> {
    csv::Reader::from_reader(csv.as_bytes()).records().map(|record| record.unwrap()[0].parse().unwrap()).collect()
}

#[test]
fn chunk_in_every_status_is_listed() {
    let folder = Folder::new();
    folder.write("jobs.toml", jobs::NIGHTLY);
    let _store = jobs::nightly(&folder.at("jobs.toml.db"));
    assert_snapshot!("table", folder.shown("list jobs.toml"));
    assert_snapshot!("json", folder.shown("list jobs.toml -o json"));
    assert_snapshot!("csv", folder.shown("list jobs.toml -o csv").replace('\r', "CR"));
}

#[test]
fn chunks_are_chosen_by_status_number_and_page() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    let check = |args: &str, expected: &[u64]| {
        assert_eq!(ids(&folder.run(&format!("list jobs.db -o csv {args}")).expect(0).stdout), expected, "{args}");
    };
    check("", &[1, 2, 3, 4, 5, 6, 7, 8]);
    check("--status failed", &[2]);
    check("--status failed,skipped -s cancelled", &[2, 3, 7]);
    check("--status unblocked", &[5, 8]);
    check("--status pending", &[5, 6, 8]);
    check("--status held", &[]);
    check("7 2-4", &[2, 3, 4, 7]);
    check("5-", &[5, 6, 7, 8]);
    check("5- --limit 2", &[5, 6]);
    check("--after 6", &[7, 8]);
    check("--after 6 --limit 1", &[7]);
    check("99", &[]);
    let page = folder.run("list jobs.db --limit 2").expect(0);
    assert!(page.stderr.contains("go on with --after 2"), "{}", page.stderr);
}

#[test]
fn list_of_many_pages_is_whole_and_in_order() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("jobs.db"), &jobs::plain("many", 2500)));
    assert_eq!(ids(&folder.run("list jobs.db -o csv").expect(0).stdout), (1..=2500).collect::<Vec<_>>());
    let table = folder.run("list jobs.db").expect(0).stdout;
    assert_eq!((table.lines().count(), table.matches("CHUNK").count()), (2501, 1));
}

#[test]
fn what_steers_a_terminal_is_escaped_in_json_too() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 1));
    store.fail(1, "a\u{9b}31mb\u{202e}c");
    let shown = folder.run("list jobs.db -o json").expect(0).stdout;
    assert!(shown.contains(r"a\u009b31mb\u202ec"), "{shown}");
    let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(read["error"], "a\u{9b}31mb\u{202e}c");
}
