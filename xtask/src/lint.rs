//! What is held before any test runs: format, lints, layers, features one by one, docs.

use anyhow::Result;

use crate::{
    demo, layers,
    metadata::{Metadata, Package},
    run::{self, Step},
    sources,
};

/// Runs every check, and stops at the first that fails.
pub(crate) fn check() -> Result<()> {
    format_and_clippy().iter().try_for_each(Step::run)?;
    layers::check()?;
    sources::check()?;
    demo::check()?;
    Metadata::read()?.members().into_iter().flat_map(features).try_for_each(|step| step.run())?;
    docs().run()?;
    deny()
}

fn format_and_clippy() -> [Step; 2] {
    let clippy = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    [Step::cargo("format", &["fmt", "--all", "--check"]), Step::cargo("clippy", &clippy)]
}

/// The package with no feature, and then with each alone: what a caller may choose must build.
fn features(package: &Package) -> Vec<Step> {
    let bare = ["check", "--package", &package.name, "--no-default-features"];
    let alone = package.features.keys().filter(|feature| *feature != "default").map(|feature| {
        let args = [&bare[..], &["--features", feature]].concat();
        Step::cargo(format!("{} with {feature}", package.name), &args)
    });
    [Step::cargo(format!("{} bare", package.name), &bare)].into_iter().chain(alone).collect()
}

fn docs() -> Step {
    Step::cargo("docs", &["doc", "--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings")
}

/// Licences, bans and sources of the dependencies. The advisories are left out: they need the network.
fn deny() -> Result<()> {
    let installed = run::cargo().args(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        eprintln!("\n==> dependencies: skipped, cargo-deny is not installed (cargo install cargo-deny --locked)");
        return Ok(());
    }
    Step::cargo("dependencies", &["deny", "check", "bans", "licenses", "sources"]).run()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_feature_is_checked_alone_and_the_default_never() {
        let package = json!({
            "id": "id", "name": "magnetar", "dependencies": [], "features": { "default": ["sqlite"], "redb": [], "sqlite": [] }
        });
        let steps = features(&serde_json::from_value(package).unwrap());
        assert_eq!(
            steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "cargo check --package magnetar --no-default-features",
                "cargo check --package magnetar --no-default-features --features redb",
                "cargo check --package magnetar --no-default-features --features sqlite",
            ]
        );
    }
}
