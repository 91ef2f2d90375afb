mod moved;

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
    let begun = Instant::now();
    assert_eq!(admin.cmd("CLIENT PAUSE 500 WRITE"), ok());
    assert_eq!(c.cmd("SET k v"), ok());
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!(admin.cmd("CLIENT PAUSE 60000 WRITE"), ok());
    assert_eq!(c.cmd("GET k"), "v");
    c.send(["MULTI", "SET k w", "EXEC"]);
    assert_eq!(admin.cmd("GET k"), "v");
    assert_eq!(admin.cmd("CLIENT UNPAUSE"), ok());
    assert_eq!(c.read(), ok());
    assert!(!c.read().is_error() && !c.read().is_error());
    assert_eq!(admin.cmd("GET k"), "w");
}

#[test]
fn writes_go_on_in_order_after_a_pause() {
    let address = server::start(Config::defaults()).socket;
    let mut admin = Client::connect(address, Protocol::Resp2);
    assert_eq!(admin.cmd("CLIENT PAUSE 60000 WRITE"), ok());
    let mut clients: Vec<Client> = (0..10).map(|_| Client::connect(address, Protocol::Resp2)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(["PING", &format!("APPEND order {number}"), "APPEND order -"]);
        // The next one comes later, whichever thread serves it.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(admin.cmd("GET order"), Value::Null);
    assert_eq!(admin.cmd("CLIENT UNPAUSE"), ok());
    assert_eq!(admin.cmd("APPEND order end"), 23);
    assert_eq!(admin.cmd("GET order"), "0-1-2-3-4-5-6-7-8-9-end");
}

#[test]
fn who_was_held_back_may_be_killed() {
    let address = server::start(Config::defaults()).socket;
    let [mut admin, mut first, mut second, mut third] =
        [0; 4].map(|_| Client::connect(address, Protocol::Resp2));
    let victim = second.cmd("CLIENT ID").integer();
    assert_eq!(admin.cmd("CLIENT PAUSE 60000 WRITE"), ok());
    for client in [&mut first, &mut second, &mut third] {
        client.send(["INCR held"]);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(admin.cmd(["CLIENT", "KILL", "ID", &victim.to_string()]), 1);
    assert_eq!(admin.cmd("CLIENT UNPAUSE"), ok());
    assert_eq!([first.read(), third.read()], [Value::Integer(1), Value::Integer(2)]);
}

#[test]
fn the_killed_are_gone_when_it_is_said() {
    let address = server::start(Config::defaults()).socket;
    let mut admin = Client::connect(address, Protocol::Resp2);
    let victims: Vec<Client> = (0..20).map(|_| Client::connect(address, Protocol::Resp2)).collect();
    for mut victim in victims {
        let id = victim.cmd("CLIENT ID").integer();
        assert_eq!(admin.cmd(["CLIENT", "KILL", "ID", &id.to_string()]), 1);
        assert_eq!(admin.cmd(["CLIENT", "LIST", "ID", &id.to_string()]), "");
    }
    // Two that kill each other do not wait for each other.
    let mut times = [0; 5].map(|_| {
        let [mut a, mut b] = [0; 2].map(|_| Client::connect(address, Protocol::Resp2));
        let ids = [&mut a, &mut b].map(|client| client.cmd("CLIENT ID").integer());
        let begun = Instant::now();
        a.send([["CLIENT", "KILL", "ID", &ids[1].to_string()]]);
        b.send([["CLIENT", "KILL", "ID", &ids[0].to_string()]]);
        let ids = ids.map(|id| id.to_string());
        let mut both = || {
            format!("{:?}", admin.cmd(["CLIENT", "LIST", "ID", &ids[0], &ids[1]])).matches(" laddr=").count()
                == 2
        };
        while both() && begun.elapsed().as_secs() < 5 {}
        begun.elapsed()
    });
    times.sort();
    // They would for a second.
    assert!(times[2] < Duration::from_millis(900), "{times:?}");
}

#[test]
fn keys_are_counted_as_they_are() {
    let mut c = Client::connect(server::start(Config::defaults()).socket, Protocol::Resp2);
    for round in 0..20 {
        assert_eq!(c.cmd("INFO keyspace"), "# Keyspace\r\n");
        assert_eq!(c.cmd(["SET", "k", "v"]), ok());
        assert_eq!(c.cmd("INFO keyspace"), "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n", "{round}");
        assert_eq!(c.cmd("FLUSHALL"), ok());
    }
}

#[test]
fn client_info_inside_exec_is_of_a_client_in_multi() {
    let mut c = Client::connect(server::start(Config::defaults()).socket, Protocol::Resp2);
    c.send(["MULTI", "SELECT 3", "CLIENT INFO", "EXEC"]);
    let replies: Vec<Value> = (0..4).map(|_| c.read()).collect();
    let info = format!("{:?}", replies[3]);
    assert!(
        info.contains(" flags=x db=3 ") && info.contains(" multi=2 ") && info.contains(" cmd=exec "),
        "{info}"
    );
    let info = format!("{:?}", c.cmd("CLIENT INFO"));
    assert!(info.contains(" flags=N db=3 ") && info.contains(" multi=-1 "), "{info}");
}

#[test]
fn lookups_of_reading_commands_are_counted() {
    let mut c = Client::connect(server::start(Config::defaults()).socket, Protocol::Resp2);
    assert_eq!(c.cmd("SET k v"), ok());
    assert_eq!(c.cmd("GET k"), "v");
    assert_eq!(c.cmd("EXISTS k nosuch"), 1);
    c.send(["MULTI", "GET k", "GET nosuch", "SET other v", "GET other", "EXEC"]);
    (0..6).for_each(|_| assert!(!c.read().is_error()));
    let info = format!("{:?}", c.cmd("INFO stats"));
    assert!(info.contains(r"keyspace_hits:4\r\nkeyspace_misses:2\r\n"), "{info}");
    assert_eq!(c.cmd("CONFIG RESETSTAT"), ok());
    assert!(format!("{:?}", c.cmd("INFO stats")).contains("keyspace_hits:0"));
}
