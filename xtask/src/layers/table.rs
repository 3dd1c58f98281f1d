//! The layers, as data: each crate with what it may use, from the bottom up.

/// What one crate of the workspace may use.
pub(super) struct Layer {
    /// The package.
    pub(super) name: &'static str,
    /// The crates that it may need to build and to run.
    pub(super) uses: &'static [&'static str],
    /// The crates that its tests, examples and benches may use besides.
    pub(super) tests_with: &'static [&'static str],
    /// The rule, for whoever breaks it.
    pub(super) rule: &'static str,
}

const fn layer(
    name: &'static str,
    uses: &'static [&'static str],
    tests_with: &'static [&'static str],
    rule: &'static str,
) -> Layer {
    Layer { name, uses, tests_with, rule }
}

const CORE: &str = "magnetar-core";
const RESILIENCE: &str = "magnetar-resilience";
const S3: &str = "magnetar-s3";
const FS: &str = "magnetar-fs";
const EMBEDDED: &str = "magnetar-embedded";
const MEMORY: &str = "magnetar-memory";
const SQLITE: &str = "magnetar-sqlite";
const REDB: &str = "magnetar-redb";
const POSTGRES: &str = "magnetar-postgres";
const STATE: &str = "magnetar-state";
const CHECKPOINT: &str = "magnetar-checkpoint";
const REDIS: &str = "magnetar-redis";
const WORKER: &str = "magnetar-worker";
const FACADE: &str = "magnetar";
const CLI: &str = "magnetar-cli";
const TESTKIT: &str = "magnetar-testkit";
const TORTURE: &str = "magnetar-torture";
const FUZZ: &str = "magnetar-fuzz";
const BENCH: &str = "magnetar-bench";
const XTASK: &str = "xtask";

const BACKEND: &str = "a backend uses the engine and the core, never another backend";
const BELOW_THE_FACADE: &[&str] =
    &[CORE, RESILIENCE, S3, FS, EMBEDDED, MEMORY, SQLITE, REDB, POSTGRES, STATE, CHECKPOINT, REDIS, WORKER];
const BELOW_THE_CLI: &[&str] =
    &[CORE, RESILIENCE, S3, FS, EMBEDDED, MEMORY, SQLITE, REDB, POSTGRES, STATE, CHECKPOINT, REDIS, WORKER, FACADE];

/// Every crate of the workspace. One that is not here is refused.
pub(super) const LAYERS: &[Layer] = &[
    layer(CORE, &[], &[], "the core uses no crate of the workspace"),
    layer(RESILIENCE, &[], &[], "resilience uses no crate of the workspace"),
    layer(S3, &[RESILIENCE], &[], "S3 uses resilience alone"),
    layer(FS, &[], &[TESTKIT], "files use no crate of the workspace"),
    layer(EMBEDDED, &[CORE], &[TESTKIT, MEMORY], "the engine uses the core alone, and its tests one backend: memory"),
    layer(MEMORY, &[CORE, EMBEDDED], &[TESTKIT], BACKEND),
    layer(SQLITE, &[CORE, EMBEDDED], &[TESTKIT], BACKEND),
    layer(REDB, &[CORE, EMBEDDED], &[TESTKIT], BACKEND),
    layer(POSTGRES, &[CORE], &[TESTKIT], "PostgreSQL is a backend beside the engine: it uses the core alone"),
    layer(STATE, &[CORE, FS], &[TESTKIT, MEMORY, SQLITE, REDB], "state uses the core and files, and its tests the backends"),
    layer(CHECKPOINT, &[CORE, FS], &[TESTKIT, MEMORY], "checkpoints use the core and files, and their tests one backend: memory"),
    layer(REDIS, &[CORE, RESILIENCE, STATE], &[TESTKIT], "Redis is a state store: it uses state, resilience and the core"),
    layer(WORKER, &[CORE, RESILIENCE], &[TESTKIT, MEMORY], "the worker knows the trait, and its tests one backend: memory"),
    layer(FACADE, BELOW_THE_FACADE, &[TESTKIT], "the facade uses what is below it: neither the command line nor the tools"),
    layer(CLI, BELOW_THE_CLI, &[TESTKIT], "the command line uses the facade and what is below it, never the tools"),
    layer(
        TESTKIT,
        &[CORE, FS, EMBEDDED, STATE],
        &[MEMORY],
        "the testkit knows the traits and the engine, and its tests one backend: memory",
    ),
    layer(
        TORTURE,
        &[CORE, FS, EMBEDDED, MEMORY, SQLITE, REDB, STATE, CHECKPOINT, TESTKIT],
        &[],
        "the rigs break the stores, and know nothing of what is built on them",
    ),
    layer(
        FUZZ,
        &[CORE, FS, EMBEDDED, MEMORY, STATE, CHECKPOINT, TESTKIT],
        &[],
        "the targets know what reads foreign bytes, and the model",
    ),
    layer(BENCH, BELOW_THE_CLI, &[TESTKIT], "the benches use the libraries, never the command line"),
    layer(XTASK, &[], &[], "xtask uses no crate of the workspace"),
];

/// Crates that others must not need to build and to run, whoever they are.
pub(super) const NEVER_USED: &[(&str, &str)] = &[
    (TESTKIT, "the testkit is only ever a dev-dependency"),
    (CLI, "nothing is built on the command line"),
    (TORTURE, "nothing is built on the rigs"),
    (FUZZ, "nothing is built on the fuzz targets"),
    (BENCH, "nothing is built on the benches"),
    (XTASK, "nothing is built on xtask"),
];

/// What one crate must not reach, at any depth, with every feature on.
pub(super) struct Tree {
    /// The package at the root.
    pub(super) root: &'static str,
    /// The packages that it must not reach.
    pub(super) without: &'static [&'static str],
    /// The rule, for whoever breaks it.
    pub(super) rule: &'static str,
}

const OUTSIDE_WORLD: &[&str] = &[
    "async-io",
    "async-std",
    "getrandom",
    "hyper",
    "libsqlite3-sys",
    "mio",
    "rand",
    "redb",
    "redis",
    "reqwest",
    "rusqlite",
    "rustix",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tokio-postgres",
];

const NO_RUNTIME: &str = "the engine and its backends run under any executor and under none";

/// The trees that are kept clean.
pub(super) const TREES: &[Tree] = &[
    Tree { root: CORE, without: OUTSIDE_WORLD, rule: "the core does no I/O, has no runtime and draws no random number" },
    Tree { root: EMBEDDED, without: &["tokio"], rule: NO_RUNTIME },
    Tree { root: MEMORY, without: &["tokio"], rule: NO_RUNTIME },
    Tree { root: SQLITE, without: &["tokio"], rule: NO_RUNTIME },
    Tree { root: REDB, without: &["tokio"], rule: NO_RUNTIME },
    Tree { root: STATE, without: &["tokio"], rule: "stores of tokens run under any executor and under none" },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn crate_uses_only_what_stands_above_it_in_the_table() {
        // The testkit alone is used in tests before its row; that closes no circle, because tests are built last.
        let mut known = HashSet::new();
        for layer in LAYERS {
            assert!(layer.uses.iter().all(|name| known.contains(name)), "{}", layer.name);
            assert!(known.insert(layer.name), "{} stands twice", layer.name);
        }
    }

    #[test]
    fn every_name_in_the_tables_has_a_row() {
        let rows: HashSet<_> = LAYERS.iter().map(|layer| layer.name).collect();
        let tests_with = LAYERS.iter().flat_map(|layer| layer.tests_with.iter().copied());
        let never_used = NEVER_USED.iter().map(|(name, _)| *name);
        let roots = TREES.iter().map(|tree| tree.root);
        for name in tests_with.chain(never_used).chain(roots) {
            assert!(rows.contains(name), "{name}");
        }
    }

    #[test]
    fn table_lets_nobody_use_what_is_never_used() {
        // The fuzz targets and the rigs alone are no tests to cargo, and use what the testkit has for tests.
        for (name, _) in NEVER_USED {
            assert!(LAYERS.iter().all(|layer| [FUZZ, TORTURE].contains(&layer.name) || !layer.uses.contains(name)), "{name}");
        }
    }
}
