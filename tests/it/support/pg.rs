//! One Postgres per test process, started by the first test that asks and gone when the process is; each test takes a
//! database of its own, a copy of one that has the schema. `RESPG_TEST_PG_BIN` names the server programs to use.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use respg::postgres::{OwnPostgres, OwnPostgresOptions};
use respg::store::{DatabaseOptions, Target, migrate};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio_postgres::{Client, NoTls};

const PREFIX: &str = "respg-test-";
const TEMPLATE: &str = "respg_template";

/// A new database without keys, dropped with this value.
pub struct Database {
    url: String,
    name: String,
    cluster: &'static SharedCluster,
}

impl Database {
    pub async fn create() -> Database {
        let cluster = SharedCluster::get().await;
        let (name, url) = cluster.create_database(TEMPLATE).await;
        Database { url, name, cluster }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn connect(&self) -> Client {
        connect(&self.url).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Nobody listens when the process ends: the whole cluster goes then.
        let _ = self.cluster.obsolete.send(self.name.clone());
    }
}

/// The URL of a new database without keys that stays until the process ends. `Database` is kinder to the disk.
pub async fn fresh_database() -> String {
    SharedCluster::get().await.create_database(TEMPLATE).await.1
}

/// The same without respg's schema.
pub async fn bare_database() -> String {
    SharedCluster::get().await.create_database("template1").await.1
}

/// A client whose connection is driven by the current runtime.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the test's Postgres");
    tokio::spawn(connection);
    client
}

/// Options for a Postgres that may forget, in a directory under `parent`.
pub fn options(directory: &Path) -> OwnPostgresOptions {
    let settings = [("fsync", "off"), ("full_page_writes", "off"), ("shared_buffers", "128MB")];
    OwnPostgresOptions {
        directory: Some(directory.to_path_buf()),
        programs: env::var_os("RESPG_TEST_PG_BIN").map(PathBuf::from),
        settings: settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        cpus: None,
    }
}

/// A new directory of this test process, removed after its end, when no Postgres uses it any more.
pub struct Scratch {
    path: PathBuf,
    _remover: Child,
}

impl Scratch {
    pub fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a directory for the test");
        // Root's Postgres runs as somebody else, who has to pass.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a directory for the test");
        // The pipe ends with this value or with the process, in whatever way that ends.
        let script = "read -r _; while [ -e \"$1/data/postmaster.pid\" ]; do sleep 0.1; done; \
                      until rm -rf \"$1\" 2>/dev/null; do sleep 0.1; done";
        let mut remover = Command::new("/bin/sh");
        remover.args(["-c", script, "remover"]).arg(&path).stdin(Stdio::piped()).process_group(0);
        Scratch { path, _remover: remover.spawn().expect("sh") }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

struct SharedCluster {
    url: String,
    obsolete: mpsc::UnboundedSender<String>,
}

impl SharedCluster {
    async fn get() -> &'static SharedCluster {
        static CLUSTER: OnceCell<SharedCluster> = OnceCell::const_new();
        CLUSTER.get_or_init(SharedCluster::start).await
    }

    /// On a thread and a runtime of its own: a test's runtime ends with the test.
    async fn start() -> SharedCluster {
        let (ready, started) = oneshot::channel();
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let scratch = Scratch::new();
                let mut options = options(scratch.path());
                options.settings.push(("max_connections".to_owned(), "2000".to_owned()));
                let postgres = OwnPostgres::start(&options).await.expect("a Postgres for the tests");
                let (obsolete, names) = mpsc::unbounded_channel();
                let url = postgres.url().to_owned();
                make_template(&url).await;
                let _ = ready.send(SharedCluster { url: url.clone(), obsolete });
                drop_databases(&url, names).await;
            });
        });
        started.await.expect("a Postgres for the tests")
    }

    async fn create_database(&self, template: &str) -> (String, String) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = connect(&self.url).await;
        let version: i32 = client
            .query_one("SELECT current_setting('server_version_num')::int", &[])
            .await
            .expect("a version")
            .get(0);
        // Before 15 there is no other.
        let strategy = if version < 150_000 { "" } else { "STRATEGY file_copy" };
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
        client.batch_execute(&create).await.expect("a database for the test");
        let url = beside(&self.url, &name);
        (name, url)
    }
}

/// The URL of another database of the same server.
fn beside(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}")
}

/// To copy the files takes a tenth of what making the schema does.
async fn make_template(url: &str) {
    connect(url).await.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await.expect("a template");
    let target = Target::parse(&beside(url, TEMPLATE)).expect("our own URL");
    migrate(&target, &DatabaseOptions::default()).await.expect("the schema");
}

async fn drop_databases(url: &str, mut names: mpsc::UnboundedReceiver<String>) {
    let client = connect(url).await;
    while let Some(name) = names.recv().await {
        // A test may have stopped Postgres, or the database may still be in use by a server that is going.
        let _ = client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}
