//! `--help`, `--version`, and the manual.

use insta::assert_snapshot;

use crate::support::Folder;

/// Every command.
pub(crate) const COMMANDS: [&str; 13] =
    ["run", "status", "watch", "list", "show", "retry", "cancel", "dag", "doctor", "checkpoint", "restore", "completions", "man"];

#[test]
fn program_and_each_command_say_what_they_do() {
    let folder = Folder::new();
    assert_snapshot!("magnetar", folder.run("--help").expect(0).shown());
    for command in COMMANDS {
        assert_snapshot!(command, folder.run(&format!("{command} --help")).expect(0).shown());
    }
}

#[test]
fn list_of_commands_is_whole() {
    let help = Folder::new().run("--help").stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), COMMANDS.len(), "{names:?}");
    assert!(COMMANDS.iter().all(|command| names.contains(command)), "{names:?}");
}

#[test]
fn version_is_that_of_the_package() {
    let shown = Folder::new().run("--version").expect(0).stdout;
    assert_eq!(shown, format!("magnetar {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn manual_has_a_page_for_the_program_and_each_command() {
    let folder = Folder::new();
    assert_snapshot!("man_page", folder.run("man").expect(0).shown());
    assert_snapshot!("man_page_of_a_command", folder.run("man cancel").expect(0).shown());
    for command in COMMANDS {
        let page = folder.run(&format!("man {command}")).expect(0).stdout;
        assert!(page.contains(&format!(".TH magnetar-{command} 1")), "{page}");
    }
    assert_snapshot!("man_of_nothing", folder.run("man frobnicate").expect(3).shown());
}

#[test]
fn mistake_is_told_with_what_was_meant() {
    let folder = Folder::new();
    assert_snapshot!("mistake", folder.run("statsu jobs.toml").expect(2).shown());
    assert_snapshot!("mistaken_status", folder.run("list jobs.toml --status faild").expect(2).shown());
    assert_snapshot!("mistaken_chunk", folder.run("show jobs.toml seven").expect(2).shown());
}
