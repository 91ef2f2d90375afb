//! The respg program.

use std::process::ExitCode;

use clap::Parser;
use respg::config::Config;
use respg::server::{Server, StartError};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let config = Config::from_environment(Config::parse());
    let filter = EnvFilter::try_from_env("RESPG_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(config)),
        Err(error) => {
            eprintln!("respg: {error}");
            return ExitCode::FAILURE;
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("respg: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> Result<(), StartError> {
    // Before anything is started, so that an early Ctrl-C is not lost.
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    let mut terminate = signal(SignalKind::terminate()).ok();
    let mut asked = std::pin::pin!(async move {
        match (&mut interrupt, &mut terminate) {
            (Some(interrupt), Some(terminate)) => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            _ => std::future::pending().await,
        }
    });
    let server = tokio::select! {
        server = Server::start(config) => server?,
        () = &mut asked => return Ok(()),
    };
    greet(&server);
    tokio::select! {
        () = &mut asked => {}
        () = server.asked_to_stop() => {}
    }
    println!("respg: stopping");
    server.stop().await
}

/// A few lines that say what was started and how to use it.
fn greet(server: &Server) {
    let config = &server.process().settings.config;
    match server.own_postgres() {
        Some(postgres) => {
            println!("respg: started PostgreSQL {}; psql \"{}\"", postgres.version(), postgres.url());
        }
        None => println!("respg: using the database that was named"),
    }
    for address in server.addresses() {
        println!("respg: ready on {address}; redis-cli -h {} -p {}", address.ip(), address.port());
    }
    if let Some(path) = &config.unixsocket {
        println!("respg: ready on {0}; redis-cli -s {0}", path.display());
    }
}
