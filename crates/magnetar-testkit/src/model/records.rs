//! Records: small values with a version.

use magnetar_core::{Expect, Rejection, Reply};

use super::{ExpectedReply, Model, Refusal};

impl Model {
    pub(super) fn put_record(
        &mut self,
        space: &str,
        key: &[u8],
        value: Option<&[u8]>,
        expect: Expect,
        told: Option<&Reply>,
    ) -> Result<ExpectedReply, Refusal> {
        let place = (space.to_owned(), key.to_vec());
        let found = self.records.get(&place).map(|(_, version)| *version);
        let expected = match expect {
            Expect::Any => found,
            Expect::Absent => None,
            Expect::Version(version) => Some(version),
        };
        if expected != found {
            return Err(Rejection::Version { space: space.to_owned(), key: String::new(), expected, found }.into());
        }
        let version = value.map(|_| self.next_version(told));
        match (value, version) {
            (Some(value), Some(version)) => drop(self.records.insert(place, (value.to_vec(), version))),
            _ => drop(self.records.remove(&place)),
        }
        Ok(ExpectedReply::Exactly(Reply::Version(version)))
    }

    /// The version that the store gave, which must be larger than all before, else the next one.
    fn next_version(&mut self, told: Option<&Reply>) -> u64 {
        let last = self.last_version;
        let version = match told {
            Some(Reply::Version(Some(version))) => *version,
            _ => last + 1,
        };
        if version <= last {
            self.fault(format!("version {version} of a record is not larger than {last}, which was given before"));
        }
        self.last_version = version.max(last);
        version
    }
}
