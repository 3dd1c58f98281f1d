//! What a command gets, and what is kept of it.

use crate::support::Folder;

#[test]
fn commands_run_in_the_order_of_their_dependencies() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[[chunks]]\nid = 1\ndepends_on = [3]\nshell = 'echo 1 >> log'\n\
         [[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'echo 2 >> log'\n\
         [[chunks]]\nid = 3\nshell = 'sleep 0.05; echo 3 >> log'\n",
    );
    let ran = folder.run("run jobs.toml -j 4").expect(0);
    assert_eq!(folder.lines("log"), ["3", "1", "2"]);
    assert!(ran.stdout.starts_with("jobs: 3 of 3 chunks done in "), "{}", ran.stdout);
}

#[test]
fn command_sees_its_attempt_and_nothing_of_the_terminal() {
    let folder = Folder::new();
    folder.write("in.txt", "");
    folder.write(
        "jobs.toml",
        "name = \"nightly\"\n\
         [[chunks]]\nid = 7\ninput = \"in.txt\"\noutput = \"sub/out.txt\"\nretries = 1\nenv = { EXTRA = \"{id}-{attempt}\" }\n\
         shell = 'env | grep -e ^MAGNETAR_ -e ^EXTRA | grep -v RUN | sort > env.$MAGNETAR_ATTEMPT; cat; test $MAGNETAR_ATTEMPT = 2'\n\
         [retry]\nfirst_wait = 0\n",
    );
    folder.run("run jobs.toml").expect(0);
    let mut fences = Vec::new();
    for attempt in ["1", "2"] {
        let (fence, rest): (Vec<_>, Vec<_>) =
            folder.lines(&format!("env.{attempt}")).into_iter().partition(|line| line.starts_with("MAGNETAR_FENCE="));
        fences.push(fence[0].split_once('=').unwrap().1.parse::<i64>().unwrap());
        assert_eq!(
            rest,
            [
                format!("EXTRA=7-{attempt}"),
                format!("MAGNETAR_ATTEMPT={attempt}"),
                "MAGNETAR_CHUNK=7".to_owned(),
                "MAGNETAR_INPUT=in.txt".to_owned(),
                "MAGNETAR_JOB=nightly".to_owned(),
                "MAGNETAR_KEY=nightly:7".to_owned(),
                "MAGNETAR_OUTPUT=sub/out.txt".to_owned(),
            ]
        );
    }
    assert!(0 < fences[0] && fences[0] < fences[1], "{fences:?}");
    assert!(folder.at("sub").is_dir(), "the folder of an output is made");
}

#[test]
fn paths_begin_at_the_manifest_wherever_the_program_is_started() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.at("a/b")).unwrap();
    folder.write("a/in.txt", "x");
    folder.write("a/tool", "#!/bin/sh\ncat \"$1\" > \"$2\"\npwd >> \"$2\"\n");
    let mut permissions = std::fs::metadata(folder.at("a/tool")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(folder.at("a/tool"), permissions).unwrap();
    folder.write(
        "a/jobs.toml",
        "[[chunks]]\nid = 1\ninput = \"in.txt\"\noutput = \"out.txt\"\nrun = [\"./tool\", \"{input}\", \"{output}\"]\n\
         [[chunks]]\nid = 2\ninput = \"in.txt\"\noutput = \"b/out.txt\"\ncwd = \"b\"\nrun = [\"./tool\", \"{input}\", \"{output}\"]\n",
    );
    folder.run("run a/jobs.toml").expect(0);
    let here = std::fs::canonicalize(folder.at("a")).unwrap();
    assert_eq!(folder.read("a/out.txt"), format!("x{}\n", here.display()));
    assert_eq!(folder.read("a/b/out.txt"), format!("x{}/b\n", here.display()));
    assert!(folder.at("a/jobs.toml.db").is_file());
}

#[test]
fn outcome_is_kept_with_the_chunk() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[[chunks]]\nid = 1\nshell = 'seq 1 100; echo warning >&2'\n\
         [[chunks]]\nid = 2\nretries = 0\nshell = 'echo no such thing >&2; exit 3'\n\
         [[chunks]]\nid = 3\nretries = 0\nshell = 'kill -SEGV $$'\n",
    );
    let ran = folder.run("run jobs.toml --progress none").expect(1);
    assert!(ran.stderr.contains("exit code 3: no such thing") || ran.stdout.contains("exit code 3: no such thing"));
    let shown = |chunk: &str| folder.run(&format!("show jobs.toml {chunk}")).expect(0).stdout;
    let first = shown("1");
    assert!(first.contains("exit code 0") && first.contains("| 81\n") && first.contains("| 100\n"), "{first}");
    assert!(!first.contains("| 80\n") && first.contains("the end of 292 bytes") && first.contains("| warning\n"), "{first}");
    assert!(first.contains("MiB"), "{first}");
    assert!(shown("2").contains("exit code 3"));
    assert!(shown("3").contains("killed by SIGSEGV"));
}

#[test]
fn failures_are_retried_and_what_depends_on_them_is_skipped() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[retry]\nfirst_wait = \"1ms\"\nretries = 2\n\
         [[chunks]]\nid = 1\nshell = 'echo 1 >> log; false'\n\
         [[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'echo 2 >> log'\n\
         [[chunks]]\nid = 3\nshell = 'echo 3 >> log'\n",
    );
    let ran = folder.run("run jobs.toml -j 1").expect(1);
    let mut log = folder.lines("log");
    log.sort();
    assert_eq!(log, ["1", "1", "1", "3"]);
    assert!(ran.stdout.contains("1 of 3 chunks done, 1 failed, 1 skipped"), "{}", ran.stdout);
}

#[test]
fn failing_fast_starts_nothing_new() {
    let folder = Folder::new();
    let chunk = |id: u32, shell: &str| format!("[[chunks]]\nid = {id}\nretries = 0\nshell = '{shell}'\n");
    let rest: String = (2..40).map(|id| chunk(id, "sleep 0.05; echo x >> log")).collect();
    folder.write("jobs.toml", &(chunk(1, "false") + &rest));
    let ran = folder.run("run jobs.toml -j 1 --fail-fast").expect(1);
    assert!(folder.lines("log").len() < 10, "{:?}", folder.lines("log"));
    assert!(ran.stdout.contains("to do"), "{}", ran.stdout);
    folder.run("run jobs.toml -j 4 --fail-fast --keep-going").expect(1);
    assert_eq!(folder.lines("log").len(), 38);
}

#[test]
fn job_that_is_stalled_names_what_is_held() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "on_failure = \"hold\"\n[[chunks]]\nid = 1\nretries = 0\nshell = 'false'\n[[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'true'\n",
    );
    let ran = folder.run("run jobs.toml").expect(1);
    assert!(ran.stdout.contains("1 held") && ran.stdout.contains("held by what ended badly"), "{}", ran.stdout);
}

#[test]
fn lanes_of_the_manifest_are_worked_on() {
    let folder = Folder::new();
    folder.write("jobs.toml", "[[chunks]]\nid = 1\nlane = \"gpu\"\nshell = 'true'\n[[chunks]]\nid = 2\nshell = 'true'\n");
    folder.run("run jobs.toml").expect(0);
}
