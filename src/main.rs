//! The respg program.

use std::process::ExitCode;

use clap::Parser;
use respg::config::Config;
use respg::migrate::Task;
use respg::server::{Server, StartError};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A fifth of a request's instructions were the system allocator's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// respg: Redis's protocol, Postgres's truth.
///
/// Without a database URL respg starts a Postgres of its own, keeps its data between runs, and stops it at the end.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, allow_negative_numbers = true)]
#[command(args_conflicts_with_subcommands = true)]
struct Program {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    config: Config,
}

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return misused(&error),
    };
    let config = program.task.as_ref().map_or(&program.config, Task::config);
    let config = Config::from_environment(config.clone());
    let filter = match EnvFilter::try_new(&config.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("respg: bad --log '{}': {error}", config.log);
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => match program.task {
            None => runtime.block_on(run(config)),
            Some(task) => {
                return runtime.block_on(task.run()).unwrap_or_else(|error| {
                    eprintln!("respg: {error}");
                    ExitCode::FAILURE
                });
            }
        },
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

/// Help and version as clap prints them, a mistake in one line.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Whoever closes the pipe has read enough.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let sentence = text.lines().next().unwrap_or_default();
    eprintln!("respg: {} (see respg --help)", sentence.strip_prefix("error: ").unwrap_or(sentence));
    ExitCode::FAILURE
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
