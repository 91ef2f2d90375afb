//! Servers in this process, each with a database of its own.

use std::net::SocketAddr;
use std::sync::{OnceLock, mpsc};
use std::thread;

use respg::config::Config;
use respg::server::Server;

use super::client::{Client, Protocol};
use super::pg::fresh_database;

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

/// Makes `key` of a logical database of the shared server a stream.
pub fn make_stream(db: u32, key: &str) {
    let mut client = Client::connect(shared().socket, Protocol::Resp2);
    client.select(db);
    assert!(!client.plain(["XADD", key, "*", "field", "value"]).is_error());
}
