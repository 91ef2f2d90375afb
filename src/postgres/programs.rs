//! Finding the server programs: `postgres`, and `initdb` and `pg_ctl` beside it.

use std::cmp::Reverse;
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::OwnPostgresError;

/// The oldest major version respg works with.
pub(super) const MINIMUM: u32 = 14;

/// Where packages put server programs, one `*` each; newest first among those it matches.
const PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
    "/run/current-system/sw/bin",
    "~/.nix-profile/bin",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub major: u32,
    text: String,
}

impl Version {
    /// Of `postgres (PostgreSQL) 17.2 (Debian 17.2-1)` and the like.
    fn parse(output: &str) -> Option<Version> {
        let text = output.trim().strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        Some(Version { major: text[..digits].parse().ok()?, text: text.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Programs {
    directory: PathBuf,
    pub version: Version,
}

impl Programs {
    /// The programs for data of this major version, or for a new cluster: those in `given`, else the first on the
    /// `PATH`, else the newest; else, if respg was built to do so, they are downloaded to `kept`.
    pub async fn find(
        given: Option<&Path>,
        kept: &Path,
        data: &Path,
        major: Option<u32>,
    ) -> Result<Programs, OwnPostgresError> {
        if let Some(directory) = given {
            let found = Programs::examine(directory).await;
            let programs = found.ok_or_else(|| OwnPostgresError::NotPrograms(directory.to_path_buf()))?;
            return choose(vec![programs], data, major);
        }
        let found = choose(installed(kept).await, data, major);
        #[cfg(feature = "download")]
        if found.is_err() {
            let name = major.map_or_else(|| "newest".to_owned(), |major| major.to_string());
            super::download::download(&kept.join(name), major).await?;
            return choose(installed(kept).await, data, major);
        }
        found
    }

    pub fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    /// A `postgres` on the PATH may be a link, a wrapper, or there may be clients only: what counts is that it runs,
    /// and that initdb and pg_ctl are its neighbours once links are resolved.
    async fn examine(directory: &Path) -> Option<Programs> {
        let postgres = directory.join("postgres");
        let real = fs::canonicalize(&postgres).ok()?;
        let complete =
            |directory: &Path| ["initdb", "pg_ctl"].iter().all(|program| directory.join(program).exists());
        let directory =
            [real.parent()?, directory].into_iter().find(|directory| complete(directory))?.to_path_buf();
        let output = Command::new(directory.join("postgres")).arg("--version").output().await.ok()?;
        let version = Version::parse(&String::from_utf8(output.stdout).ok()?)?;
        Some(Programs { directory, version })
    }
}

fn choose(found: Vec<Programs>, data: &Path, major: Option<u32>) -> Result<Programs, OwnPostgresError> {
    let versions: Vec<String> = found.iter().map(|programs| programs.version.to_string()).collect();
    let suits = |programs: &Programs| match major {
        Some(major) => programs.version.major == major,
        None => programs.version.major >= MINIMUM,
    };
    match (found.into_iter().find(suits), major) {
        (Some(programs), _) => Ok(programs),
        (None, _) if versions.is_empty() => Err(OwnPostgresError::NoPrograms),
        (None, None) => Err(OwnPostgresError::TooOld { found: versions.join(", ") }),
        (None, Some(major)) => {
            Err(OwnPostgresError::OtherMajor { data: data.to_path_buf(), major, found: versions.join(", ") })
        }
    }
}

async fn installed(kept: &Path) -> Vec<Programs> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<Programs> = Vec::new();
    for directory in env::split_paths(&path).filter(|directory| directory.is_absolute()) {
        found.extend(Programs::examine(&directory).await);
    }
    let mut others = Vec::new();
    let kept = format!("{}/*/bin", kept.display());
    for directory in PLACES.iter().copied().chain([kept.as_str()]).flat_map(expand) {
        others.extend(Programs::examine(&directory).await);
    }
    others.sort_by_key(|programs| Reverse(programs.version.major));
    for programs in others {
        if found.iter().all(|known| known.directory != programs.directory) {
            found.push(programs);
        }
    }
    found
}

/// The directories a pattern of `PLACES` stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let pattern = match (pattern.strip_prefix("~/"), env::var("HOME")) {
        (Some(below), Ok(home)) => format!("{home}/{below}"),
        _ => pattern.to_owned(),
    };
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with(prefix))
        .map(|name| PathBuf::from(format!("{parent}/{name}{after}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(version: &str) -> Programs {
        let version = Version::parse(&format!("postgres (PostgreSQL) {version}\n")).unwrap();
        Programs { directory: PathBuf::from(format!("/{version}")), version }
    }

    fn chosen(versions: &[&str], major: Option<u32>) -> Result<String, String> {
        let found = versions.iter().map(|version| programs(version)).collect();
        choose(found, Path::new("/d"), major)
            .map(|found| found.version.to_string())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn versions_as_packagers_write_them() {
        assert_eq!(programs("15.14 (Debian 15.14-0+deb12u1)").version.to_string(), "15.14");
        assert_eq!(programs("19beta1").version.major, 19);
        assert_eq!(Version::parse("psql (PostgreSQL) 15.14"), None);
    }

    #[test]
    fn a_new_cluster_takes_the_first_that_is_new_enough() {
        assert_eq!(chosen(&["13.9", "15.2", "17.1"], None).unwrap(), "15.2");
        assert!(chosen(&["13.9"], None).unwrap_err().contains("13.9 is too old"));
        assert!(chosen(&[], None).unwrap_err().contains("apt install postgresql"));
    }

    #[test]
    fn existing_data_wants_its_own_major() {
        assert_eq!(chosen(&["15.2", "17.1"], Some(17)).unwrap(), "17.1");
        let error = chosen(&["15.2", "17.1"], Some(16)).unwrap_err();
        assert!(error.contains("PostgreSQL 16, which is not installed (found: 15.2, 17.1)"), "{error}");
    }

    #[test]
    fn patterns_stand_for_directories() {
        assert!(expand("/usr/lo*/bin").contains(&PathBuf::from("/usr/local/bin")));
        assert_eq!(expand("/nowhere/*/bin"), Vec::<PathBuf>::new());
    }
}
