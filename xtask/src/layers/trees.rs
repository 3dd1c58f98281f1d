//! What must not be reached from a crate, at any depth.

use super::table::{TREES, Tree};
use crate::metadata::{Metadata, Package};

/// One line for each package that stands in a tree that must be free of it, with the way there.
pub(super) fn faults(metadata: &Metadata) -> Vec<String> {
    let members = metadata.members();
    let in_tree = |tree: &Tree| {
        let root = members.iter().find(|package| package.name == tree.root)?;
        Some(faults_in(tree, root, metadata))
    };
    TREES.iter().filter_map(in_tree).flatten().collect()
}

fn faults_in(tree: &Tree, root: &Package, metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    for route in metadata.routes(root) {
        if let Some(refused) = route.last().filter(|name| tree.without.contains(name)) {
            faults.push(format!("{} must not reach {refused}, but does ({}): {}", tree.root, route.join(" → "), tree.rule));
        }
    }
    faults
}
