//! Manifests: what they are called, where their stores are, and which are refused.

use insta::assert_snapshot;

use crate::support::Folder;

const ONE: &str = "[[chunks]]\nid = 1\nshell = 'echo x >> log'\n";

#[test]
fn store_stands_beside_the_manifest_or_where_it_is_told() {
    let folder = Folder::new();
    folder.write("jobs.toml", ONE);
    folder.run("run jobs.toml").expect(0);
    assert!(folder.at("jobs.toml.db").is_file());
    folder.run("run jobs.toml --store other.redb").expect(0);
    assert!(folder.at("other.redb").is_file());
    let ran = folder.command("run jobs.toml").env("MAGNETAR_STORE", "third.db").output().unwrap();
    assert!(ran.status.success() && folder.at("third.db").is_file());
    folder.run("run jobs.toml --store memory:").expect(0);
    assert_eq!(folder.lines("log").len(), 4);
}

#[test]
fn manifests_are_read_in_every_format() {
    let folder = Folder::new();
    folder.write("a.json", "{\"chunks\": [{\"id\": 1, \"shell\": \"echo json >> log\"}]}");
    folder.write("b.jsonl", "{\"manifest\": {\"name\": \"lines\"}}\n{\"id\": 1, \"shell\": \"echo lines >> log\"}\n");
    folder.run("run a.json").expect(0);
    assert!(folder.run("run b.jsonl").expect(0).stdout.starts_with("lines: "));
    assert_eq!(folder.lines("log"), ["json", "lines"]);
}

#[test]
fn store_of_another_job_is_refused() {
    let folder = Folder::new();
    folder.write("a.toml", ONE);
    folder.write("b.toml", ONE);
    folder.run("run a.toml --store jobs.db").expect(0);
    assert_snapshot!(folder.shown("run b.toml --store jobs.db"), @r#"
    $ magnetar run b.toml --store jobs.db
    ---- stderr
    error: jobs.db holds another job, "a" (id 1), and this one is called "b"; name another store with --store
    ---- exit code 4
    "#);
    assert_eq!(folder.lines("log").len(), 1);
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_runs() {
    let folder = Folder::new();
    let check = |name: &str, text: &str, code: i32, expected: &str| {
        folder.write(name, text);
        let ran = folder.run(&format!("run {name}")).expect(code);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(!folder.at(&format!("{name}.db")).exists());
    };
    let key = "[[chunks]]\nid = 1\nshell = 'true'\n\n[[chunks]]\nid = 2\nshel = 'true'\n";
    check("key.toml", key, 2, "error: key.toml: chunk 2 (line 7): unknown key `shel`, did you mean `shell`?");
    check("nothing.toml", "[[chunks]]\nid = 1\n", 2, "nothing.toml: chunk 1 (line 1): there is neither `run` nor `shell`");
    check(
        "hole.toml",
        "[[chunks]]\nid = 1\nrun = [\"a\", \"{inptu}\"]\n",
        2,
        "(line 3): key `run`: unknown placeholder `{inptu}`",
    );
    check("cycle.toml", "[[chunks]]\nid = 1\ndepends_on = [1]\nshell = 'true'\n", 2, "cycle.toml: chunk 1 (line 1)");
    check("broken.toml", "[[chunks]\n", 2, "broken.toml: line 1");
    check("head.toml", "nam = \"x\"\n[[chunks]]\nid = 1\nshell = 'true'\n", 2, "did you mean `name`?");
    check("what.yaml", "chunks: 1", 2, "a manifest is NAME.toml, NAME.json or NAME.jsonl");
    let missing = folder.run("run missing.toml").expect(3);
    assert!(missing.stderr.contains("read the manifest missing.toml"), "{}", missing.stderr);
}

#[test]
fn store_that_is_none_is_told_by_its_exit_code() {
    let folder = Folder::new();
    folder.write("jobs.toml", ONE);
    folder.write("text.db", &"no store\n".repeat(100));
    folder.run("run jobs.toml --store text.db").expect(6);
    folder.run("run jobs.toml --store missing/jobs.db").expect(5);
    folder.run("run jobs.toml --store jobs.csv").expect(2);
    folder.run("run jobs.toml --store postgres://host/jobs").expect(5);
    assert!(folder.lines("log").is_empty());
}

#[test]
fn command_line_that_cannot_be_meant_is_refused() {
    let folder = Folder::new();
    folder.write("jobs.toml", ONE);
    for args in [
        "run",
        "run jobs.toml -j 0",
        "run jobs.toml --each *",
        "run --each *",
        "run jobs.toml -- true",
        "run jobs.toml --progress loud",
        "run jobs.toml --dry-run --join",
        "run jobs.toml --name x",
    ] {
        folder.run(args).expect(2);
    }
}
