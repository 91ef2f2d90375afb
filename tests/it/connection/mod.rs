use std::time::{Duration, Instant};

use respg::config::Config;

use crate::support::client::{Client, Protocol, Value, error, ok};
use crate::support::matrix::{client_of, matrix, next_database};
use crate::support::server;

#[test]
fn names() {
    matrix(|c| {
        assert_eq!(c.cmd("CLIENT GETNAME"), Value::Null);
        assert_eq!(c.cmd("CLIENT SETNAME me"), ok());
        assert_eq!(c.cmd("CLIENT GETNAME"), "me");
        assert_eq!(c.cmd("CLIENT SETINFO LIB-NAME lib"), ok());
        assert_eq!(c.cmd("CLIENT SETINFO nosuch 1"), error("ERR Unrecognized option 'nosuch'"));
        assert_eq!(c.cmd("CLIENT NO-EVICT ON"), ok());
        assert_eq!(c.cmd("CLIENT NO-TOUCH ON"), ok());
        assert_eq!(c.cmd("CLIENT NO-TOUCH maybe"), error("ERR syntax error"));
    });
}

#[test]
fn there_is_no_client_side_caching() {
    matrix(|c| {
        assert_eq!(c.cmd("CLIENT TRACKING OFF"), ok());
        assert_eq!(c.cmd("CLIENT TRACKING ON"), error("ERR Client tracking is not supported by respg"));
        assert!(c.cmd("CLIENT CACHING YES").is_error());
        assert_eq!(c.cmd("CLIENT GETREDIR"), -1);
        assert!(!c.cmd("CLIENT TRACKINGINFO").is_error());
        assert_eq!(c.cmd("CLIENT UNBLOCK 1 TIMEOUT"), 0);
        assert!(!c.cmd("CLIENT HELP").is_error());
    });
}

#[test]
fn reply_modes() {
    let mut c = client_of(Protocol::Resp2, next_database());
    c.send(["CLIENT REPLY SKIP", "PING", "ECHO a", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "ECHO b"]);
    assert_eq!(c.read(), "a");
    assert_eq!(c.read(), ok());
    assert_eq!(c.read(), "b");
}

#[test]
fn pause_holds_writes_back() {
    let address = server::start(Config::defaults()).socket;
    let [mut admin, mut c] = [0; 2].map(|_| Client::connect(address, Protocol::Resp2));
    assert_eq!(admin.cmd("CLIENT PAUSE 300 WRITE"), ok());
    let begun = Instant::now();
    assert_eq!(c.cmd("GET k"), Value::Null);
    assert!(begun.elapsed() < Duration::from_millis(290));
    assert_eq!(c.cmd("SET k v"), ok());
    assert!(begun.elapsed() >= Duration::from_millis(290));
    assert_eq!(admin.cmd("CLIENT PAUSE 60000 WRITE"), ok());
    c.send(["MULTI", "SET k w", "EXEC"]);
    assert_eq!(admin.cmd("GET k"), "v");
    assert_eq!(admin.cmd("CLIENT UNPAUSE"), ok());
    assert_eq!(c.read(), ok());
    assert!(!c.read().is_error() && !c.read().is_error());
    assert_eq!(admin.cmd("GET k"), "w");
}
