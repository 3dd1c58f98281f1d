//! Which filesystem a folder is on, as the kernel lists them.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// Filesystems of other hosts, by the names that Linux gives them.
const NETWORK: &[&str] =
    &["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "fuse.ceph", "glusterfs", "fuse.glusterfs"];

/// The kind of network filesystem that a folder is on; none where it is on none, or where the system does not tell.
pub(super) fn of(folder: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    filesystem(&mounts, folder).filter(|kind| NETWORK.contains(kind)).map(str::to_owned)
}

/// The filesystem of the longest mount point that the folder is under. Of mounts at one point the last hides the others.
fn filesystem<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(parse).filter(|(point, _)| folder.starts_with(point));
    mounts.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

/// The mount point and the filesystem of a line of `mountinfo`.
fn parse(line: &str) -> Option<(PathBuf, &str)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    Some((unescape(mount.split(' ').nth(4)?), filesystem.split(' ').next()?))
}

/// Turns `\040` into a space, and so on.
fn unescape(escaped: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = after.get(3..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    os_string(bytes).into()
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
36 27 0:28 / /home rw shared:1 - nfs4 server:/home rw,vers=4.2
37 36 8:1 / /home/local rw shared:2 master:1 - xfs /dev/sda1 rw
38 27 0:30 / /mnt/my\\040share rw - cifs //server/share rw
39 27 0:31 / /mnt/twice rw - nfs server:/x rw
40 39 0:32 / /mnt/twice rw - tmpfs tmpfs rw
a line that is none
";

    #[track_caller]
    fn check(folder: &str, expected: &str) {
        assert_eq!(filesystem(MOUNTS, Path::new(folder)), Some(expected), "{folder}");
    }

    #[test]
    fn folder_is_on_the_longest_mount_point_above_it() {
        check("/", "ext4");
        check("/homes", "ext4");
        check("/home", "nfs4");
        check("/home/a/b", "nfs4");
        check("/home/local/a", "xfs");
        check("/mnt/my share/a", "cifs");
        check("/mnt/twice", "tmpfs");
        assert_eq!(filesystem("", Path::new("/")), None);
    }

    #[test]
    fn network_filesystems_are_told_from_disks() {
        assert!(["nfs", "cifs", "fuse.sshfs"].iter().all(|kind| NETWORK.contains(kind)));
        assert!(!["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse.mergerfs"].iter().any(|kind| NETWORK.contains(kind)));
    }
}
