//! `--dry-run`.

use insta::assert_snapshot;

use crate::support::Folder;

const JOBS: &str = "[[chunks]]\nid = 1\ninput = \"a.txt\"\nrun = [\"cat\", \"{input}\"]\n\
    [[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'true'\n\
    [[chunks]]\nid = 3\nretries = 0\nshell = 'false'\n";

#[test]
fn what_would_run_is_said_and_nothing_is_changed() {
    let folder = Folder::new();
    folder.write("jobs.toml", JOBS);
    folder.write("a.txt", "a");
    assert_snapshot!("new", folder.shown("run jobs.toml --dry-run"));
    assert!(!folder.at("jobs.toml.db").exists());
    folder.run("run jobs.toml").expect(1);
    assert_snapshot!("failed", folder.shown("run jobs.toml --dry-run"));
    folder.write("a.txt", "changed");
    assert_snapshot!("changed", folder.shown("run jobs.toml --dry-run"));
    assert_snapshot!("json", folder.shown("run jobs.toml --dry-run -o json"));
    assert_snapshot!("csv", folder.shown("run jobs.toml --dry-run -o csv"));
    assert!(folder.run("show jobs.toml 3").stdout.contains("failed"), "it was left as it was");
}

#[test]
fn files_that_would_be_worked_on_are_said() {
    let folder = Folder::new();
    folder.write("a.txt", "a");
    folder.write("b c.txt", "b");
    assert_snapshot!("each", folder.shown("run --dry-run --each *.txt -- cat"));
    folder.run("run --each *.txt -- cat").expect(0);
    folder.write("new.txt", "c");
    assert_snapshot!("each_again", folder.shown("run --dry-run --each *.txt -- cat"));
}

#[test]
fn store_of_another_job_is_refused() {
    let folder = Folder::new();
    folder.write("a.toml", JOBS);
    folder.write("b.toml", JOBS);
    folder.write("a.txt", "a");
    folder.run("run a.toml --store jobs.db").expect(1);
    folder.run("run b.toml --store jobs.db --dry-run").expect(4);
}
