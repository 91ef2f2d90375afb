//! Servers in this process, each with a database of its own.

use std::net::SocketAddr;
use std::sync::{OnceLock, mpsc};
use std::thread;

use respg::config::Config;
use respg::server::Server;

use super::pg::{connect, fresh_database};

/// Logical databases of the shared server: every run of a test body takes one or two.
pub const DATABASES: u32 = 3000;

/// Where a server of this process is.
pub struct Address {
    pub socket: SocketAddr,
    pub database_url: String,
}

/// The server that most tests share. It has one lane, so that the commands of all clients meet there.
pub fn shared() -> &'static Address {
    static SHARED: OnceLock<Address> = OnceLock::new();
    SHARED.get_or_init(|| {
        start(Config { databases: DATABASES, threads: Some(1), lanes: 1, ..Config::defaults() })
    })
}

/// Starts a server that runs until the process ends, on any port and a new database.
pub fn start(config: Config) -> Address {
    let (ready, started) = mpsc::channel();
    // On a thread and a runtime of its own: a test's runtime ends with the test.
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let database_url = fresh_database().await;
            let config = Config { database_url: Some(database_url.clone()), port: 0, ..config };
            let server = Server::start(config).await.expect("a server for the tests");
            let _ = ready.send(Address { socket: server.addresses()[0], database_url });
            std::future::pending::<()>().await;
        });
    });
    started.recv().expect("a server for the tests")
}

/// Makes `key` of a logical database of the shared server a stream, whatever commands there are for it.
pub fn make_stream(db: u32, key: &str) {
    let insert = "INSERT INTO respg.keys (space, key, type, object_id) \
                  SELECT space, $2, 6, -1 FROM respg.databases WHERE db = $1";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = connect(&shared().database_url).await;
        client.execute(insert, &[&(db as i32), &key.as_bytes()]).await.expect("no such key yet");
    });
}
