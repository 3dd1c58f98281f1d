//! What `cargo metadata` says about the workspace, as far as the checks need it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::run;

/// The workspace and everything that it is built from, with every feature on.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: HashSet<String>,
    resolve: Resolve,
}

/// One package, as its manifest describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// One line of a manifest's dependencies.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    kind: Option<Kind>,
}

/// What a dependency is for, when it is not a normal one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Build,
    Dev,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    pkg: String,
    dep_kinds: Vec<LinkKind>,
}

#[derive(Debug, Deserialize)]
struct LinkKind {
    kind: Option<Kind>,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self> {
        let json = run::output(run::cargo().args(["metadata", "--format-version", "1", "--all-features"]))?;
        serde_json::from_str(&json).context("cannot read what `cargo metadata` says")
    }

    /// The packages of the workspace, by name.
    pub(crate) fn members(&self) -> Vec<&Package> {
        let mut members: Vec<_> = self.packages.iter().filter(|package| self.workspace_members.contains(&package.id)).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    /// For each package that the root needs at run time, the shortest way there: the names from the root to the package.
    pub(crate) fn routes<'a>(&'a self, root: &'a Package) -> Vec<Vec<&'a str>> {
        let names: HashMap<_, _> = self.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let nodes: HashMap<_, _> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut seen = HashSet::from([root.id.as_str()]);
        let mut queue = VecDeque::from([(root.id.as_str(), vec![root.name.as_str()])]);
        let mut routes = Vec::new();
        while let Some((id, route)) = queue.pop_front() {
            for next in nodes.get(id).into_iter().flat_map(|node| node.normal()) {
                if seen.insert(next) {
                    let name = names.get(next).copied().unwrap_or(next);
                    queue.push_back((next, route.iter().copied().chain([name]).collect()));
                }
            }
            routes.push(route);
        }
        routes
    }
}

impl Dependency {
    /// Whether only the tests, examples and benches of the package see it.
    pub(crate) fn is_dev(&self) -> bool {
        self.kind == Some(Kind::Dev)
    }
}

impl Node {
    /// The packages that this one needs at run time: neither for its build script nor for its tests alone.
    fn normal(&self) -> impl Iterator<Item = &str> {
        let links = self.deps.iter().filter(|link| link.dep_kinds.iter().any(|of| of.kind.is_none()));
        links.map(|link| link.pkg.as_str())
    }
}
