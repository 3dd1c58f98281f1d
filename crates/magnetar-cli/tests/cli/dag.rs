//! `magnetar dag`.

use insta::assert_snapshot;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

#[test]
fn graph_is_printed_for_other_programs_and_as_a_picture() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    assert_snapshot!("dot", folder.shown("dag jobs.db"));
    assert_snapshot!("mermaid", folder.shown("dag jobs.db --format mermaid"));
    assert_snapshot!("svg", folder.shown("dag jobs.db --format svg"));
    assert_snapshot!("some", folder.shown("dag --store jobs.db 1-3 --format mermaid"));
}

#[test]
fn names_that_mean_something_to_a_format_are_escaped() {
    let folder = Folder::new();
    let name = r#"a"b<c>&d]e;f#g\h"#;
    let manifest = format!("name = '{name}'\n[[chunks]]\nid = 1\nshell = '''{name}\u{202e}'''\n");
    drop(Store::with(&folder.at("jobs.db"), &manifest));
    assert_snapshot!("escaped_dot", folder.shown("dag jobs.db"));
    assert_snapshot!("escaped_mermaid", folder.shown("dag jobs.db -f mermaid"));
    let svg = folder.run("dag jobs.db -f svg").expect(0).stdout;
    assert!(svg.contains(r"a&quot;b&lt;c&gt;&amp;d]e;f#g\h") && !svg.contains("<c>"), "{svg}");
    assert!(svg.contains(r"\u{202e}"), "{svg}");
}

#[test]
fn picture_of_hundreds_holds_them_all_and_of_thousands_is_refused() {
    let folder = Folder::new();
    let merge = |merge: u64| {
        let parts: Vec<_> = (1..=300).filter(|part| part % 10 == merge).collect();
        format!("[[chunks]]\nid = {}\nshell = \"merge\"\ndepends_on = {parts:?}\n", 1000 + merge)
    };
    let manifest = jobs::plain("wide", 300) + &(0..10).map(merge).collect::<String>();
    drop(Store::with(&folder.at("wide.db"), &manifest));
    let svg = folder.run("dag wide.db -f svg").expect(0).stdout;
    assert_eq!((svg.matches("<g><title>").count(), svg.matches("<path ").count()), (310, 300));
    drop(Store::with(&folder.at("many.db"), &jobs::plain("many", 2001)));
    assert_snapshot!("too_many", folder.run("dag many.db -f svg").expect(2).shown());
    folder.run("dag many.db 1-5 -f svg").expect(0);
    let dot = folder.run("dag many.db").expect(0).stdout;
    assert_eq!(dot.matches("label=").count(), 2001);
}
