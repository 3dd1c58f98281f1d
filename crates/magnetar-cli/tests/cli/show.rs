//! `magnetar show`.

use insta::assert_snapshot;

use crate::support::{Folder, jobs};

#[test]
fn everything_about_a_chunk_is_shown() {
    let folder = Folder::new();
    folder.write("jobs.toml", jobs::NIGHTLY);
    let _store = jobs::nightly(&folder.at("jobs.toml.db"));
    assert_snapshot!("table", folder.shown("show jobs.toml 1-8"));
    assert_snapshot!("json", folder.shown("show jobs.toml 4 -o json"));
    assert_snapshot!("json_result", folder.shown("show jobs.toml 1 -o json"));
    assert_snapshot!("csv", folder.shown("show jobs.toml 2 -o csv").replace('\r', "CR"));
}

#[test]
fn last_attempt_is_shown_with_the_end_of_what_it_printed() {
    let folder = Folder::new();
    folder.write("input.txt", "a\n");
    folder.write(
        "jobs.toml",
        r#"
        retry = { retries = 0 }
        [[chunks]]
        id = 1
        shell = 'printf "one\ntwo\033[2J\377\n"; echo lost >&2; exit 3'
        input = "input.txt"
        [[chunks]]
        id = 2
        shell = "kill -9 $$"
        "#,
    );
    folder.run("run jobs.toml --progress none").expect(1);
    let peak = |shown: String| {
        let lines = shown.lines().map(|line| line.split_once(", at most ").map_or(line.to_owned(), |(took, _)| took.to_owned()));
        lines
            .map(|line| line.split_once("  took  ").map_or(line.clone(), |_| "  took  # s".to_owned()))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_snapshot!("attempt", peak(folder.shown("show jobs.toml 1 2")));
    let shown = folder.run("show jobs.toml 1 -o json").expect(0).stdout;
    let last = &serde_json::from_str::<serde_json::Value>(&shown).unwrap()["last_attempt"];
    assert_eq!((&last["exit_code"], &last["signal"]), (&3.into(), &serde_json::Value::Null));
    assert_eq!((&last["stderr"]["tail"], &last["stderr"]["bytes"]), (&"lost\n".into(), &5.into()));
    assert_eq!(last["inputs"]["input.txt"].as_str().unwrap().len(), 64);
}

#[test]
fn chunk_that_is_not_there_ends_with_3_and_none_at_all_with_2() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    assert_snapshot!("missing", folder.run("show jobs.db 99").expect(3).shown());
    assert_snapshot!("none", folder.run("show jobs.db").expect(2).shown());
}
