//! `magnetar completions`.

use std::process::Command;

use insta::assert_snapshot;

use crate::{help::COMMANDS, support::Folder};

#[test]
fn each_shell_gets_a_script_that_knows_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.run(&format!("completions {shell}")).expect(0).stdout;
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
        assert!(!script.contains("supervise"), "{shell} knows what is not for people");
    }
    let fish = folder.run("completions fish").stdout;
    let of_man: Vec<_> = fish.lines().filter(|line| line.contains("__fish_magnetar_using_subcommand watch")).collect();
    assert_snapshot!("fish_watch", of_man.join("\n"));
    assert_snapshot!("unknown", folder.run("completions tcsh").expect(2).shown());
}

#[test]
fn script_for_bash_is_one_that_bash_reads() {
    let folder = Folder::new();
    folder.write("magnetar.bash", &folder.run("completions bash").stdout);
    let words =
        "source magnetar.bash; COMP_WORDS=(magnetar sta); COMP_CWORD=1; _magnetar magnetar sta magnetar; echo ${COMPREPLY[@]}";
    let output = Command::new("bash").args(["-c", words]).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "status");
}
