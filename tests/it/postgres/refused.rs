//! The wrong ways to start respg: each is answered with one sentence and exit code 1.

use crate::support::pg::{bare_database, connect};
use crate::support::respg::{blocking, refusal};
use crate::support::tcp_postgres::TcpPostgres;

#[test]
fn mistakes_on_the_command_line() {
    let nowhere = "postgres://127.0.0.1:1/x";
    let long = format!("/tmp/{}", "x".repeat(120));
    let cases: &[(&[&str], &str)] = &[
        (&["--nonsense"], "unexpected argument '--nonsense' found"),
        (&["extra"], "the subcommand 'extra' cannot be used with '--port <PORT>'"),
        (&["--maxclients", "-5"], "invalid value '-5' for '--maxclients <N>': "),
        (&["--timeout", "-1"], "invalid value '-1' for '--timeout <SECONDS>': "),
        (&["--port", "70000"], "invalid value '70000' for '--port <PORT>': 70000 is not in 0..=65535"),
        (&["--lanes", "0"], "invalid value '0' for '--lanes <N>': must be at least 1"),
        (&["--threads", "0"], "invalid value '0' for '--threads <N>': must be at least 1"),
        (
            &["--server-cpulist", "0-"],
            "invalid value '0-' for '--server-cpulist <LIST>': must be like 0,2 or 0-3 or 0-7:2",
        ),
        (
            &["--postgres-cpulist", "1023"],
            "invalid value '1023' for '--postgres-cpulist <LIST>': respg may use none of these processors",
        ),
        (
            &["--cpu-dma-latency", "-1"],
            "invalid value '-1' for '--cpu-dma-latency <MICROSECONDS>': -1 is not in 0..=2147483647",
        ),
        (&["--pool-size", "0"], "invalid value '0' for '--pool-size <N>': must be at least 1"),
        (
            &["--postgres-timeout", "0"],
            "invalid value '0' for '--postgres-timeout <MILLISECONDS>': must be at least 1",
        ),
        (&["--databases", "0"], "invalid value '0' for '--databases <N>': 0 is not in 1..=10000"),
        (
            &["--protected-mode", "maybe"],
            "invalid value 'maybe' for '--protected-mode <yes|no>': must be yes or no",
        ),
        (&["--log", "!!=x"], "bad --log '!!=x': "),
        (&["--bind", ""], "nothing to listen on: "),
        (&["--bind", "no-such-host.invalid"], "cannot listen on no-such-host.invalid port 0: "),
        (&["--unixsocket", &long], "cannot listen on the unix socket /tmp/xxx"),
        (
            &["--unixsocket", "/nonexistent/x"],
            "cannot listen on the unix socket /nonexistent/x: No such file",
        ),
        (
            &["--unixsocket", "/tmp/x", "--unixsocketperm", "999"],
            "cannot listen on the unix socket /tmp/x: bad permissions",
        ),
    ];
    for (options, sentence) in cases {
        let said = refusal(nowhere, options);
        assert!(said.starts_with(&format!("respg: {sentence}")), "{said}\ninstead of\n{sentence}");
    }
}

#[test]
fn urls_that_lead_nowhere() {
    let cases = [
        ("postgres://u@no-such-host.invalid/d", "cannot use the database: failed to lookup address"),
        ("postgres://u@127.0.0.1:1/d", "cannot use the database: Connection refused"),
        ("host=/nonexistent user=u", "cannot use the database: No such file or directory"),
        ("postgres:///d", "the database URL names no host "),
        ("dbname=d", "the database URL names no host "),
        ("postgres://u@h/d?foo=bar", "the database URL is not understood: unknown option `foo`"),
        ("postgres://u@h/d?connect_timeout=x", "the database URL is not understood: invalid value"),
    ];
    for (url, sentence) in cases {
        let said = refusal(url, &[]);
        assert!(said.starts_with(&format!("respg: {sentence}")), "{said}\ninstead of\n{sentence}");
    }
}

#[test]
fn a_database_that_cannot_be_written() {
    let url = blocking(async {
        let url = bare_database().await;
        let name = url.rsplit('/').next().unwrap().to_owned();
        let alter = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
        connect(&url).await.batch_execute(&alter).await.unwrap();
        url
    });
    let said = refusal(&url, &[]);
    assert_eq!(
        said,
        "respg: cannot use the database: cannot execute CREATE SCHEMA in a read-only transaction"
    );
}

#[test]
fn a_wrong_password() {
    let postgres = TcpPostgres::start(&[], &[], &["host all all 127.0.0.1/32 scram-sha-256"]);
    blocking(async {
        let owner = connect(&postgres.local()).await;
        owner.batch_execute("CREATE ROLE someone LOGIN PASSWORD 'secret'").await.unwrap();
    });
    let said = refusal(&format!("postgres://someone:wrong@127.0.0.1:{}/respg", postgres.port()), &[]);
    assert_eq!(said, "respg: cannot use the database: password authentication failed for user \"someone\"");
    let said = refusal(&format!("postgres://someone@127.0.0.1:{}/respg", postgres.port()), &[]);
    assert_eq!(said, "respg: cannot use the database: password missing");
}
