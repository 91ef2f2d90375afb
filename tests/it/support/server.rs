//! Servers in this process, each with a database of its own.

use std::net::SocketAddr;
use std::sync::{OnceLock, mpsc};
use std::thread;

use respg::config::Config;
use respg::server::Server;

use super::pg::fresh_database;

/// Logical databases of the shared server: every run of a test body takes one.
pub const DATABASES: u32 = 3000;

/// The server that most tests share. It has one lane, so that the commands of all clients meet there.
pub fn shared() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        start(Config { databases: DATABASES, threads: Some(1), lanes: 1, ..Config::defaults() })
    })
}

/// Starts a server that runs until the process ends, on any port and a new database.
pub fn start(config: Config) -> SocketAddr {
    start_with(config, None)
}

/// As [`start`], on the database of this URL.
pub fn start_on(url: &str, config: Config) -> SocketAddr {
    start_with(config, Some(url.to_owned()))
}

fn start_with(config: Config, url: Option<String>) -> SocketAddr {
    let (ready, started) = mpsc::channel();
    // On a thread and a runtime of its own: a test's runtime ends with the test.
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let url = match url {
                Some(url) => url,
                None => fresh_database().await,
            };
            let config = Config { database_url: Some(url), port: 0, ..config };
            let server = Server::start(config).await.expect("a server for the tests");
            let _ = ready.send(server.addresses()[0]);
            std::future::pending::<()>().await;
        });
    });
    started.recv().expect("a server for the tests")
}
