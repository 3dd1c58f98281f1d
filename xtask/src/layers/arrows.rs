//! The arrows between the crates of the workspace, held against the table.

use std::collections::HashSet;

use super::table::{LAYERS, Layer, NEVER_USED};
use crate::metadata::{Dependency, Metadata};

/// One line for each arrow that the table does not have, and for each crate that the table does not name.
pub(super) fn faults(metadata: &Metadata) -> Vec<String> {
    let members = metadata.members();
    let names: HashSet<_> = members.iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in members {
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == package.name) else {
            faults.push(format!("{} has no layer: name it in the table, xtask/src/layers/table.rs", package.name));
            continue;
        };
        let inside = package.dependencies.iter().filter(|dependency| names.contains(dependency.name.as_str()));
        faults.extend(inside.filter_map(|dependency| fault(layer, dependency)));
    }
    faults
}

/// One line for each feature whose name says that it takes something away. Cargo unites features, so one that removes
/// breaks whoever did not ask for it.
pub(super) fn removing_features(metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    for package in metadata.members() {
        for feature in package.features.keys().filter(|feature| removes(feature)) {
            faults.push(format!("{}: feature `{feature}` removes; features only add", package.name));
        }
    }
    faults
}

fn removes(feature: &str) -> bool {
    ["no", "without", "disable"].contains(&feature.split(['-', '_']).next().unwrap_or(feature))
}

fn fault(layer: &Layer, dependency: &Dependency) -> Option<String> {
    let (from, to) = (layer.name, dependency.name.as_str());
    let allowed = layer.uses.contains(&to);
    if dependency.is_dev() {
        // A crate may name itself, to test itself with its own features on.
        let allowed = allowed || layer.tests_with.contains(&to) || from == to;
        return (!allowed).then(|| format!("{from} must not use {to} in its tests: {}", layer.rule));
    }
    let rule = NEVER_USED.iter().find(|(name, _)| *name == to).map_or(layer.rule, |(_, rule)| rule);
    (!allowed).then(|| format!("{from} must not use {to}: {rule}"))
}
