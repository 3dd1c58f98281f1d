//! Which filesystem a folder is on, as far as the system tells.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// Filesystems whose files are on another host, by the names that Linux gives them. Their locks do not reach it, or not soon
/// enough, their flushes say little, and SQLite's log needs memory that all who have the file open share.
const NETWORK: [&str; 22] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "fuse.ceph",
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
pub(super) fn network_filesystem(folder: &Path) -> Option<&'static str> {
    network_filesystem_in(&fs::read("/proc/self/mountinfo").ok()?, folder)
}

fn network_filesystem_in(mounts: &[u8], folder: &Path) -> Option<&'static str> {
    let kind = filesystem(mounts, folder)?;
    NETWORK.into_iter().find(|known| known.as_bytes() == kind)
}

/// The type of the filesystem that is mounted nearest above a folder. Of two at one place the later one covers the other.
fn filesystem<'a>(mounts: &'a [u8], folder: &Path) -> Option<&'a [u8]> {
    let mounts = mounts.split(|byte| *byte == b'\n').filter_map(mount).filter(|(point, _)| folder.starts_with(point));
    mounts.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

/// The mount point and the type of a line: `36 35 98:0 /root /point options [more…] - type source options`.
fn mount(line: &[u8]) -> Option<(PathBuf, &[u8])> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = fields.nth(4)?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some((os_string(unescape(point)).into(), kind))
}

/// Blanks, tabs, line ends and backslashes are written as three octal digits.
fn unescape(escaped: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((&first, after)) = rest.split_first() {
        let code = after.split_first_chunk().filter(|_| first == b'\\');
        let meant = code.and_then(|(digits, after)| Some((octal(*digits)?, after)));
        let (byte, after) = meant.unwrap_or((first, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn octal(digits: [u8; 3]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()
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
#[cfg(unix)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;

    const MOUNTS: &[u8] = b"\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /mnt/far rw shared:1 master:2 - nfs4 host:/export rw
31 30 8:1 / /mnt/far/near rw - xfs /dev/sda1 rw
32 22 0:41 / /mnt/a\\040b rw - cifs //host/share rw
33 22 0:42 / /mnt/covered rw - nfs host:/export rw
34 22 0:43 / /mnt/covered rw - tmpfs none rw
35 22 0:44 / /mnt/\xff\\134 rw - fuse.sshfs host:/ rw
broken line
";

    #[test]
    fn nearest_and_latest_mount_above_a_folder_decides() {
        let check = |folder: &[u8], expected: &str| {
            let folder = Path::new(OsStr::from_bytes(folder));
            let found = filesystem(MOUNTS, folder).map(|kind| str::from_utf8(kind).unwrap());
            assert_eq!(found, Some(expected), "{}", folder.display());
        };
        check(b"/", "ext4");
        check(b"/home/me", "ext4");
        check(b"/mnt/far", "nfs4");
        check(b"/mnt/far/jobs", "nfs4");
        check(b"/mnt/farther", "ext4");
        check(b"/mnt/far/near/jobs", "xfs");
        check(b"/mnt/a b/jobs", "cifs");
        check(b"/mnt/covered", "tmpfs");
        check(b"/mnt/\xff\\/jobs", "fuse.sshfs");
        assert_eq!(filesystem(b"", Path::new("/")), None);
    }

    #[test]
    fn escaped_bytes_are_read_and_others_left() {
        let check = |escaped: &[u8], meant: &[u8]| assert_eq!(unescape(escaped), meant, "{}", escaped.escape_ascii());
        check(br"/a\040b\011c\012d\134", b"/a b\tc\nd\\");
        check(br"\0404", b" 4");
        check(br"\04", br"\04");
        check(br"\999\", br"\999\");
        check(b"\xff\\377", b"\xff\xff");
        check(b"", b"");
    }

    #[test]
    fn network_filesystems_are_told_from_disks() {
        let of = |kind: &str| network_filesystem_in(format!("1 1 0:1 / / rw - {kind} none rw").as_bytes(), Path::new("/jobs"));
        for kind in ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.ceph", "fuse.sshfs", "fuse.s3fs"] {
            assert_eq!(of(kind), Some(kind));
        }
        for kind in ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse.mergerfs", "nfsd"] {
            assert_eq!(of(kind), None, "{kind}");
        }
    }

    #[test]
    fn folder_of_this_test_is_on_no_network_or_named_with_its_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        assert!(network_filesystem(&path).is_none_or(|kind| NETWORK.contains(&kind)));
    }
}
