//! The demo of the repository, killed at random moments: the report is that of a run that nobody disturbed.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use super::{
    crash::{Draw, begun, done},
    support::{Running, lives, until},
};
use crate::support::Folder;

const JOBS: usize = 4;
const KILLS: usize = 10;

/// The demo's manifest, with its results in the folder of the test, and commands that say when they begin.
fn manifest() -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let text = fs::read_to_string(top.join("docs/demo/words.toml")).unwrap();
    let log = r#"echo "begin $MAGNETAR_CHUNK" >> log; echo $$ >> pids; "#;
    let text = text.replace("../../target/demo", "results").replace("../..", top.to_str().unwrap());
    text.replace("shell = '''", &format!("shell = '''{log}")).replace("shell = 'L", &format!("shell = '{log}L"))
}

#[test]
fn demo_that_is_killed_ten_times_comes_to_the_same_report() {
    let undisturbed = Folder::new();
    undisturbed.write("words.toml", &manifest());
    undisturbed.run("run words.toml --progress none").expect(0);
    let report = undisturbed.read("results/report.txt");
    assert!(report.contains("in magnetar-core\n"), "{report}");

    let folder = Folder::new();
    folder.write("words.toml", &manifest());
    folder.write("log", "");
    let (args, mut draw) = (format!("run words.toml --progress none -j {JOBS}"), Draw(0x2545_f491_4f6c_dd1d));
    let mut acknowledged = HashMap::new();
    for _ in 0..KILLS {
        let mut run = Running::start(&folder, &args);
        // At a random moment of the work: the ten kills together come through most of it.
        let lines = folder.lines("log").len() + usize::try_from(draw.below(60)).unwrap();
        until("the run goes on", || folder.lines("log").len() >= lines || run.has_ended());
        assert!(!run.has_ended(), "the run was over before its last kill");
        let supervisors = run.supervisors();
        run.kill();
        until("the supervisors are gone", || !supervisors.iter().any(|pid| lives(*pid)));
        assert!(!folder.pids("pids").into_iter().any(lives), "a command has outlived its run");
        let begun = begun(&folder);
        for id in done(&folder, "words.toml.db") {
            let times = begun.iter().filter(|begun| **begun == id).count();
            assert_eq!(*acknowledged.entry(id).or_insert(times), times, "chunk {id} was done, and was begun again");
        }
    }
    folder.run(&args).expect(0);
    assert_eq!(folder.read("results/report.txt"), report);

    let begun = begun(&folder);
    let different: HashSet<_> = begun.iter().collect();
    let repeats = begun.len() - different.len();
    assert!(repeats <= KILLS * JOBS, "{repeats} repeats after {KILLS} kills of {JOBS} at once");
    assert!(acknowledged.len() > KILLS, "the kills came before anything was done");
}
