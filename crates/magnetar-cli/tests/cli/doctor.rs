//! `magnetar doctor`, and what every command says of a file that is no sound store.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

fn sql(file: &Path, sql: &str) {
    Connection::open(file).unwrap().execute_batch(sql).unwrap();
}

/// The size of a file differs from version to version.
fn sizeless(shown: &str) -> String {
    let line = |line: &str| if line.trim_end().ends_with(" bytes") { "  ok  file: # bytes".to_owned() } else { line.to_owned() };
    shown.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn sound_store_is_said_to_be_sound() {
    let folder = Folder::new();
    drop(jobs::nightly(&folder.at("jobs.db")));
    assert_snapshot!("sound", sizeless(&folder.run("doctor jobs.db").expect(0).shown()));
    drop(Store::with(&folder.at("jobs.redb"), &jobs::plain("few", 3)));
    assert_snapshot!("sound_redb", sizeless(&folder.run("doctor jobs.redb").expect(0).shown()));
    let json: serde_json::Value = serde_json::from_str(&folder.run("doctor jobs.db -o json").expect(0).stdout).unwrap();
    assert_eq!((&json["exit_code"], &json["findings"][0]["level"]), (&0.into(), &"ok".into()));
    let csv = folder.run("doctor jobs.db -o csv").expect(0).stdout;
    assert!(csv.starts_with("level,about,found,way_out\r\nok,file,"), "{csv}");
}

#[test]
fn what_is_worth_knowing_is_noted() {
    let folder = Folder::new();
    drop(jobs::stuck(&folder.at("jobs.db")));
    fs::set_permissions(folder.at("jobs.db"), fs::Permissions::from_mode(0o640)).unwrap();
    assert_snapshot!("notes", sizeless(&folder.run("doctor jobs.db").expect(0).shown()));
}

#[test]
fn what_does_not_fit_together_is_found() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3));
    store.add(7, &jobs::plain("other", 2));
    drop(store);
    sql(&folder.at("jobs.db"), "DELETE FROM ready");
    assert_snapshot!("lost_rows", sizeless(&folder.run("doctor jobs.db").expect(6).shown()));
}

#[test]
fn row_that_rotted_is_found_and_the_other_jobs_are_looked_at_all_the_same() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 1));
    store.add(7, &jobs::plain("other", 2));
    drop(store);
    sql(&folder.at("jobs.db"), "UPDATE chunk SET v = CAST(v || x'00' AS BLOB) WHERE k = (SELECT min(k) FROM chunk)");
    let shown = folder.run("doctor jobs.db").expect(6).shown();
    assert!(shown.contains("does not match its checksum") && shown.contains("2 chunks fit together"), "{shown}");
    let shown = folder.run("show jobs.db 1 --job few").expect(6).stderr;
    assert!(shown.contains("does not match its checksum"), "{shown}");
    folder.run("list jobs.db --job few").expect(6);
    folder.run("list jobs.db --job other").expect(0);
}

#[test]
fn damage_of_what_dead_processes_held_keeps_nobody_from_the_rest() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 1));
    store.add(7, &jobs::plain("other", 2));
    drop(store);
    jobs::claim_and_die(&folder.at("jobs.db"));
    sql(&folder.at("jobs.db"), "UPDATE lease SET v = CAST(v || x'00' AS BLOB)");
    folder.run("status jobs.db --job other").expect(0);
    folder.run("status jobs.db --job few").expect(6);
}

#[test]
fn file_that_is_no_store_is_told_with_the_way_out() {
    let folder = Folder::new();
    folder.write("text.db", &"this is no database\n".repeat(200));
    folder.write("text.redb", &"this is no database\n".repeat(200));
    drop(Store::with(&folder.at("whole.db"), &jobs::plain("few", 3)));
    let whole = fs::read(folder.at("whole.db")).unwrap();
    fs::write(folder.at("cut.db"), &whole[..whole.len() / 2 + 100]).unwrap();
    fs::write(folder.at("newer.db"), &whole).unwrap();
    sql(&folder.at("newer.db"), "PRAGMA user_version = 99");
    sql(&folder.at("other.db"), "CREATE TABLE theirs(a)");
    fs::create_dir(folder.at("folder.db")).unwrap();
    drop(Store::with(&folder.at("whole.redb"), &jobs::plain("few", 3)));
    let whole = fs::read(folder.at("whole.redb")).unwrap();
    fs::write(folder.at("cut.redb"), &whole[..5]).unwrap();
    for (file, code) in
        [("text.db", 6), ("cut.db", 6), ("newer.db", 6), ("other.db", 5), ("folder.db", 5), ("text.redb", 5), ("cut.redb", 6)]
    {
        assert_snapshot!(file, folder.run(&format!("status {file}")).expect(code).shown());
        let doctor = folder.run(&format!("doctor {file}")).expect(code);
        assert!(doctor.stdout.contains("bad") && doctor.stderr.is_empty(), "{}", doctor.shown());
    }
}

#[test]
fn what_is_whole_is_put_into_a_new_store() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3));
    store.add(7, &jobs::plain("other", 2));
    drop(store);
    sql(&folder.at("jobs.db"), "DELETE FROM ready");
    sql(&folder.at("jobs.db"), "UPDATE chunk SET v = CAST(v || x'00' AS BLOB) WHERE k = (SELECT min(k) FROM chunk)");
    assert_snapshot!("salvaged", sizeless(&folder.run("doctor jobs.db --salvage saved.db").expect(6).shown()));
    folder.run("doctor saved.db").expect(0);
    let failed = folder.run("show saved.db 1 --job few").expect(0).stdout;
    assert!(failed.contains("failed") && failed.contains("lost: "), "{failed}");
    folder.run("doctor jobs.db --salvage saved.redb").expect(6);
    folder.run("doctor saved.redb").expect(0);
    folder.run("doctor saved.redb --salvage again.db").expect(0);
    folder.run("doctor jobs.db").expect(6);
}

#[test]
fn salvage_replaces_nothing_and_leaves_nothing_where_it_fails() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3)));
    folder.write("there.db", "");
    assert!(folder.run("doctor jobs.db --salvage there.db").expect(2).stdout.contains("it is there already"));
    assert!(folder.run("doctor jobs.db --salvage jobs.db").expect(2).stdout.contains("it is there already"));
    assert!(folder.run("doctor jobs.db --salvage memory:").expect(2).stdout.contains("name a file"));
    folder.run("doctor jobs.db --salvage nowhere/saved.db").expect(5);
    folder.run("doctor absent.db --salvage saved.db").expect(3);
    folder.write("text.db", &"this is no database\n".repeat(200));
    folder.run("doctor text.db --salvage saved.db").expect(6);
    let names = fs::read_dir(folder.at(".")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = names.filter(|name| name.contains("saved") || name.contains("salvage")).collect();
    assert_eq!(left, Vec::<String>::new());
}
