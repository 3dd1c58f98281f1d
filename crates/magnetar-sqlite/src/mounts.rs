//! Which filesystem a folder is on, as far as the system tells.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Filesystems whose files are on another host. Their locks do not reach it, or not soon enough, and SQLite's log needs memory
/// that all who have the file open share.
const NETWORK: [&str; 21] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "fuse.cephfs",
    "fuse.glusterfs",
    "fuse.juicefs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "smb3",
    "smbfs",
];

/// The network filesystem that a folder is on; none where it is on another one, or where the system does not tell.
pub(crate) fn network_filesystem(folder: &Path) -> Option<&'static str> {
    // The file has bytes that are no UTF-8 where a mount point has.
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    let kind = filesystem(&String::from_utf8_lossy(&mounts), folder)?;
    NETWORK.into_iter().find(|known| *known == kind)
}

/// The type of the filesystem that is mounted nearest above a folder. Of two at one place the later one covers the other.
fn filesystem(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(mount).filter(|(point, _)| folder.starts_with(point));
    mounts.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind.to_owned())
}

/// The mount point and the type of a line: `36 35 98:0 /root /point options [more…] - type source options`.
fn mount(line: &str) -> Option<(PathBuf, &str)> {
    let (place, filesystem) = line.split_once(" - ")?;
    Some((PathBuf::from(unescape(place.split(' ').nth(4)?)), filesystem.split(' ').next()?))
}

/// Blanks, tabs, line ends and backslashes are written as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (escaped, meant)| text.replace(escaped, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /mnt/far rw shared:1 master:2 - nfs4 host:/export rw
31 30 8:1 / /mnt/far/near rw - xfs /dev/sda1 rw
32 22 0:41 / /mnt/a\\040b rw - cifs //host/share rw
33 22 0:42 / /mnt/covered rw - nfs host:/export rw
34 22 0:43 / /mnt/covered rw - tmpfs none rw
broken line";

    #[test]
    fn nearest_and_latest_mount_above_a_folder_decides() {
        let check = |folder: &str, expected: &str| {
            assert_eq!(filesystem(MOUNTS, Path::new(folder)).as_deref(), Some(expected), "{folder}");
        };
        check("/home/me", "ext4");
        check("/mnt/far", "nfs4");
        check("/mnt/far/jobs", "nfs4");
        check("/mnt/farther", "ext4");
        check("/mnt/far/near/jobs", "xfs");
        check("/mnt/a b/jobs", "cifs");
        check("/mnt/covered", "tmpfs");
    }

    #[test]
    fn folder_of_this_test_is_on_no_network_or_named_with_its_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        assert!(network_filesystem(&path).is_none_or(|kind| NETWORK.contains(&kind)));
    }
}
