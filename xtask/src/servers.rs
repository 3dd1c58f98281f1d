//! The servers that some tests start: found, installed where that is ours to do, or named as missing.
//!
//! The tests start and stop servers of their own, so a service that a package brings along is neither needed nor wanted.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// A program that tests start, and what it is called elsewhere.
struct Server {
    program: &'static str,
    /// The package of Debian and its kin.
    package: &'static str,
    /// What is skipped without it.
    tests: &'static str,
}

const SERVERS: &[Server] =
    &[Server { program: "redis-server", package: "redis-server", tests: "the tests of magnetar-redis against real servers" }];

/// What the machine offers.
struct Machine {
    search_path: Vec<PathBuf>,
    is_root: bool,
}

/// Sees that the servers are there. One that is missing and cannot be installed is named, with what is skipped without it; whether that is a
/// failure is for the tests to say.
pub(crate) fn prepare() {
    let machine = Machine::this();
    for server in SERVERS.iter().filter(|server| machine.find(server.program).is_none()) {
        let outcome = if machine.may_install() { install(server) } else { Ok(()) };
        if let Err(error) = &outcome {
            eprintln!("cannot install {}: {error:#}", server.package);
        }
        match machine.find(server.program) {
            Some(at) => eprintln!("installed {}: {}", server.package, at.display()),
            None => eprintln!("{}", missing(server)),
        }
    }
}

fn missing(server: &Server) -> String {
    let Server { program, package, tests } = server;
    format!("{program} is not installed, and {tests} do not run without it\nto install it: apt-get install -y {package}")
}

fn install(server: &Server) -> Result<()> {
    eprintln!("\n{} is missing, and this is root with apt: installing {}", server.program, server.package);
    let _quiet = NoServices::keep(Path::new("/usr/sbin/policy-rc.d"))?;
    let package = ["install", "-y", "-q", "--no-install-recommends", server.package];
    // A fresh machine has no lists of packages yet, and an old one has old ones.
    apt(&package).or_else(|_| apt(&["update", "-q"]).and_then(|()| apt(&package)))
}

fn apt(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// While it lives, packages start no service: Debian's scripts ask this file, and it says no. A file that is there already is left as it is.
struct NoServices<'a> {
    ours: Option<&'a Path>,
}

impl<'a> NoServices<'a> {
    fn keep(policy: &'a Path) -> Result<Self> {
        if policy.exists() {
            return Ok(Self { ours: None });
        }
        let kept = Self { ours: Some(policy) };
        fs::write(policy, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {}", policy.display()))?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(kept)
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some(policy) = self.ours
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("cannot remove {}, which keeps packages from starting services: {error}", policy.display());
        }
    }
}

impl Machine {
    fn this() -> Self {
        let search_path = env::var_os("PATH").map(|paths| env::split_paths(&paths).collect()).unwrap_or_default();
        // Who a process runs as is the owner of its folder in /proc; elsewhere there is no apt.
        Self { search_path, is_root: fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) }
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let is_program = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0);
        self.search_path.iter().map(|folder| folder.join(program)).find(is_program)
    }

    fn may_install(&self) -> bool {
        self.is_root && self.find("apt-get").is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(is_root: bool, programs: &[&str]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().unwrap();
        for program in programs {
            let path = folder.path().join(program);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let search_path = vec![PathBuf::from("/nowhere"), folder.path().to_owned()];
        (folder, Machine { search_path, is_root })
    }

    #[test]
    fn only_root_with_apt_installs() {
        let cases = [(true, &["apt-get"][..], true), (false, &["apt-get"], false), (true, &["brew"], false)];
        for (is_root, programs, expected) in cases {
            assert_eq!(machine(is_root, programs).1.may_install(), expected, "{is_root} {programs:?}");
        }
    }

    #[test]
    fn program_is_found_where_it_can_be_run() {
        let (folder, machine) = machine(false, &["redis-server"]);
        let path = folder.path().join("redis-server");
        assert_eq!(machine.find("redis-server"), Some(path.clone()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(machine.find("redis-server"), None);
        assert_eq!(machine.find("no-such-server"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_and_what_is_skipped() {
        for server in SERVERS {
            let said = missing(server);
            assert!(said.contains(server.tests), "{said}");
            assert!(said.ends_with(&format!("\nto install it: apt-get install -y {}", server.package)), "{said}");
        }
    }

    #[test]
    fn packages_start_no_service_while_one_is_installed() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        let quiet = NoServices::keep(&policy).unwrap();
        assert_eq!(Command::new(&policy).status().unwrap().code(), Some(101));
        drop(quiet);
        assert!(!policy.exists());
    }

    #[test]
    fn policy_of_the_machine_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        fs::write(&policy, "theirs").unwrap();
        drop(NoServices::keep(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "theirs");
    }
}
