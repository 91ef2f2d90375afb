use std::fs;

use respg::postgres::{OwnPostgres, OwnPostgresError};

use crate::support::pg::{self, Scratch};

#[tokio::test]
async fn a_second_respg_is_told_who_uses_the_directory() {
    let scratch = Scratch::new();
    let options = pg::options(scratch.path());
    let first = OwnPostgres::start(&options).await.unwrap();
    let error = OwnPostgres::start(&options).await.unwrap_err();
    assert!(matches!(error, OwnPostgresError::InUse { .. }), "{error:?}");
    let directory = fs::canonicalize(scratch.path()).unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "another respg (process {}) uses {}: give the URL of its Postgres, which it has said at its start (--database-url), stop it, or choose another --data-dir",
            std::process::id(),
            directory.display()
        )
    );
    pg::connect(first.url()).await.simple_query("SELECT 1").await.unwrap();
    first.stop().await.unwrap();
    OwnPostgres::start(&options).await.unwrap().stop().await.unwrap();
}

// With the feature it would be downloaded.
#[cfg(not(feature = "download"))]
#[tokio::test]
async fn data_of_a_version_that_is_not_installed() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("data")).unwrap();
    fs::write(scratch.path().join("data/PG_VERSION"), "9\n").unwrap();
    let error = OwnPostgres::start(&pg::options(scratch.path())).await.unwrap_err();
    assert!(matches!(error, OwnPostgresError::OtherMajor { major: 9, .. }), "{error:?}");
}

#[tokio::test]
async fn a_directory_of_something_else_is_left_alone() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("data")).unwrap();
    fs::write(scratch.path().join("data/thesis.tex"), "mine").unwrap();
    let error = OwnPostgres::start(&pg::options(scratch.path())).await.unwrap_err();
    assert!(matches!(error, OwnPostgresError::NotData(_)), "{error:?}");
    assert!(scratch.path().join("data/thesis.tex").exists());
}

#[tokio::test]
async fn a_directory_without_programs() {
    let scratch = Scratch::new();
    let mut options = pg::options(scratch.path());
    options.programs = Some("/usr/share".into());
    let error = OwnPostgres::start(&options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no usable PostgreSQL server programs (postgres, initdb, pg_ctl) are in /usr/share"
    );
}

#[tokio::test]
async fn a_setting_postgres_does_not_know_is_quoted() {
    let scratch = Scratch::new();
    let mut options = pg::options(scratch.path());
    options.settings.push(("no_such_setting".into(), "1".into()));
    let error = OwnPostgres::start(&options).await.unwrap_err().to_string();
    let said = "PostgreSQL did not start: unrecognized configuration parameter \"no_such_setting\"";
    assert!(error.starts_with(said), "{error}");
}

/// For a machine without a way out: HTTPS_PROXY=http://127.0.0.1:1
#[cfg(feature = "download")]
#[tokio::test]
async fn data_of_a_version_that_cannot_be_downloaded() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("data")).unwrap();
    fs::write(scratch.path().join("data/PG_VERSION"), "9\n").unwrap();
    let error = OwnPostgres::start(&pg::options(scratch.path())).await.unwrap_err().to_string();
    assert!(
        error.starts_with("no PostgreSQL 9 server programs were found, nor could they be downloaded ("),
        "{error}"
    );
    println!("{error}");
}
