//! The user Postgres runs as. It refuses root, so for root it is an unprivileged user that exists already.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tokio::process::Command;

use super::OwnPostgresError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// `None`: as ourselves. For root the owner of existing data, else `postgres`, else `nobody`.
    pub fn choose(data: &Path) -> Result<Option<Account>, OwnPostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let owner = fs::metadata(data).ok().map(|data| (data.uid(), data.gid())).filter(|(uid, _)| *uid != 0);
        let account = match owner {
            Some((uid, gid)) => {
                let named = find(&accounts, |account| account.uid == uid);
                Some(named.unwrap_or(Account { name: uid.to_string(), uid, gid }))
            }
            None => ["postgres", "nobody"]
                .iter()
                .find_map(|name| find(&accounts, |account| account.name == *name)),
        };
        account.map(Some).ok_or(OwnPostgresError::NoAccount)
    }

    pub fn run(account: Option<&Account>, command: &mut Command) {
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
    }

    /// Whether this user may pass through `directory` and all above it.
    pub fn may_enter(&self, directory: &Path) -> Result<(), OwnPostgresError> {
        for directory in directory.ancestors() {
            let Ok(entry) = fs::metadata(directory) else { continue };
            let class = if entry.uid() == self.uid {
                0o100
            } else if entry.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if entry.mode() & class == 0 {
                let (account, directory) = (self.name.clone(), directory.to_path_buf());
                return Err(OwnPostgresError::NotReachable { account, directory });
            }
        }
        Ok(())
    }
}

fn find(accounts: &str, wanted: impl Fn(&Account) -> bool) -> Option<Account> {
    accounts.lines().filter_map(parse).find(|account| wanted(account) && account.uid != 0)
}

fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name, uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# note\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n\
                          postgres:x:104:112:PostgreSQL:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn accounts_are_found_by_name_and_never_root() {
        let postgres = find(PASSWD, |account| account.name == "postgres");
        assert_eq!(postgres, Some(Account { name: "postgres".into(), uid: 104, gid: 112 }));
        assert_eq!(find(PASSWD, |account| account.name == "root"), None);
        assert_eq!(find(PASSWD, |account| account.name == "redis"), None);
    }

    #[test]
    fn a_closed_directory_above_is_noticed() {
        let stranger = Account { name: "stranger".into(), uid: 4_000_000, gid: 4_000_000 };
        assert!(stranger.may_enter(Path::new("/usr/lib")).is_ok());
        assert!(stranger.may_enter(Path::new("/proc/1/fd/none")).is_err());
    }
}
