//! Commands that cannot be started, or do what nobody expects of them.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::Folder;

/// Runs a manifest of one chunk that must fail at once, and returns the error.
fn error(folder: &Folder, keys: &str) -> String {
    folder.write("jobs.toml", &format!("[[chunks]]\nid = 1\n{keys}\n"));
    let ran = folder.run("run jobs.toml --progress none").expect(1);
    let shown = folder.run("show jobs.toml 1 -o json").expect(0).stdout;
    assert!(shown.contains("\"fails\": 0"), "another try would end the same way: {shown}");
    fs::remove_file(folder.at("jobs.toml.db")).unwrap();
    ran.stdout
}

#[test]
fn what_cannot_be_started_fails_at_once_and_says_why() {
    let folder = Folder::new();
    folder.write("plain", "no program");
    folder.write("lost", "#!/no/such/interpreter\n");
    folder.write("odd", "neither a program nor a script");
    for name in ["lost", "odd"] {
        fs::set_permissions(folder.at(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let check = |keys: &str, expected: &str| {
        let error = error(&folder, keys);
        assert!(error.contains(expected), "{error}");
    };
    check("run = [\"no-such-program\"]", "there is no program no-such-program in PATH");
    check("run = [\"./no-such-program\"]", "there is no program /folder/./no-such-program");
    check("run = [\"./plain\"]", "may not be executed");
    check("run = [\"./lost\"]", "the interpreter that /folder/./lost names in its first line is missing");
    check("run = [\"./odd\"]", "cannot be started");
    check("run = [\"true\"]\ncwd = \"nowhere\"", "there is no folder /folder/nowhere to run in");
    check(&format!("run = [\"true\", \"{}\"]", "x".repeat(200_000)), "the arguments and variables of true are too long");
}

#[test]
fn input_that_is_missing_or_does_not_fit_keeps_the_command_from_running() {
    let folder = Folder::new();
    folder.write("a", "abc");
    let check = |keys: &str, expected: &[&str]| {
        let error = error(&folder, &format!("shell = 'echo x >> log'\n{keys}"));
        assert!(expected.iter().all(|expected| error.contains(expected)), "{error}");
        assert_eq!(folder.read("log"), "");
    };
    check("input = \"b\"", &["its input /folder/b is missing"]);
    check("input = \".\"", &["it is a folder"]);
    check("input = \"/dev/zero\"", &["it is no file"]);
    let (found, expected) = ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "0".repeat(64));
    check(&format!("input = \"a\"\nchecksum = \"{expected}\""), &["does not fit its checksum", found, &expected]);
    folder.write(
        "jobs.toml",
        &format!("[[chunks]]\nid = 1\nshell = 'true'\ninput = \"a\"\nchecksum = \"{}\"\n", found.to_uppercase()),
    );
    folder.run("run jobs.toml").expect(0);
}

#[test]
fn output_without_end_and_without_sense_is_kept_in_part() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[[chunks]]\nid = 1\nshell = '''head -c 1000000000 /dev/zero; head -c 50000000 /dev/zero >&2; printf 'last \\377\\n'; grep VmHWM /proc/$PPID/status > hwm'''\n",
    );
    folder.run("run jobs.toml").expect(0);
    let shown = folder.run("show jobs.toml 1").expect(0).stdout;
    assert!(shown.contains("1,000,000,007 bytes") && shown.contains("last \u{fffd}"), "{shown}");
    let kib: u64 = folder.read("hwm").split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 64 << 10, "the supervisor took {kib} KiB");
}

#[test]
fn folder_of_an_output_that_cannot_be_made_is_told() {
    let folder = Folder::new();
    folder.write("a", "");
    let error = error(&folder, "shell = 'true'\noutput = \"a/b\"");
    assert!(error.contains("the folder of its output, /folder/a, cannot be made"), "{error}");
}
