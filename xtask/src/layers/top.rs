//! What stands at the top of the repository.

use std::collections::BTreeSet;

/// Exactly this, and files that begin with a dot.
const TOP: [&str; 11] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "crates",
    "deny.toml",
    "docs",
    "rust-toolchain.toml",
    "xtask",
];

/// What of it may be absent: the benches, until there are some.
const OPTIONAL: [&str; 1] = ["benches"];

/// One line for each thing too many or too few, from the paths of all files.
pub(super) fn faults(files: &[String]) -> Vec<String> {
    let found: BTreeSet<_> = files.iter().filter_map(|file| file.split('/').next()).collect();
    let too_many = found.iter().filter(|name| !name.starts_with('.') && !TOP.contains(name));
    let too_few = TOP.iter().filter(|name| !found.contains(*name) && !OPTIONAL.contains(name));
    let too_many = too_many.map(|name| format!("{name} does not belong at the top of the repository"));
    too_many.chain(too_few.map(|name| format!("{name} is missing at the top of the repository"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(added: &[&str], removed: &[&str]) -> Vec<String> {
        let inside =
            |name: &str| if name.contains('.') || name == "LICENSE" { name.to_owned() } else { format!("{name}/a/b.rs") };
        TOP.iter().chain(added).filter(|name| !removed.contains(name)).map(|name| inside(name)).collect()
    }

    #[test]
    fn exact_top_passes() {
        assert!(faults(&repository(&[".gitignore", ".ci/run"], &[])).is_empty());
    }

    #[test]
    fn benches_may_be_absent() {
        assert!(faults(&repository(&[], &["benches"])).is_empty());
    }

    #[test]
    fn stranger_is_named_once() {
        let faults = faults(&repository(&["scripts/a.sh", "scripts/b.sh"], &[]));
        assert_eq!(faults, ["scripts does not belong at the top of the repository"]);
    }

    #[test]
    fn missing_file_is_named() {
        assert_eq!(faults(&repository(&[], &["LICENSE"])), ["LICENSE is missing at the top of the repository"]);
    }
}
