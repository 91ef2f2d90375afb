//! Who respg is for the upstream, and by which way it gets there.

use std::fs;

use rcgen::{CertificateParams, KeyPair};

use crate::support::authority::authority;
use crate::support::client::{Client, ok};
use crate::support::pg::Scratch;
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::Respg;

/// A user as managed servers have them.
const USER: &[&str] = &["--user", "app", "on", ">p@ss:word", "~app:*", "&*", "+@all", "-@dangerous"];

/// Asked until the upstream has been asked.
fn settled(client: &mut Client, line: &str) -> String {
    loop {
        let said = client.plain(line).to_string_lossy();
        if !said.starts_with("LOADING the upstream Redis: cannot reach") {
            return said;
        }
    }
}

fn listens_on(folder: &Scratch, authority_of_server: &str) -> (Redis, u16) {
    let name = |name: &str| folder.path().join(name).display().to_string();
    let key = KeyPair::generate().unwrap();
    let signer = authority(authority_of_server);
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &signer).unwrap();
    fs::write(name("authority.crt"), signer.pem()).unwrap();
    fs::write(name("server.crt"), certificate.pem()).unwrap();
    fs::write(name("server.key"), key.serialize_pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (port_text, crt, key, ca) =
        (port.to_string(), name("server.crt"), name("server.key"), name("authority.crt"));
    let words = [
        "--tls-port",
        &port_text,
        "--tls-cert-file",
        &crt,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
    ];
    let options = [&words[..], &["--tls-auth-clients", "no", "--requirepass", "top"], USER].concat();
    (Redis::of(PROGRAMS[0], &options), port)
}

#[test]
fn a_user_with_few_rights_behind_tls() {
    let folder = Scratch::new();
    let (_redis, port) = listens_on(&folder, "right");
    let url = format!("rediss://app:p%40ss%3Aword@localhost:{port}");
    let respg = Respg::with_variable(
        "SSL_CERT_FILE",
        &folder.path().join("authority.crt"),
        &["--upstream", &url, "--mode", "redis"],
    );
    let mut client = respg.connect();
    assert_eq!(settled(&mut client, "SET app:k v"), "OK");
    assert_eq!(
        client.plain("SET other v").to_string_lossy(),
        "NOPERM this user has no permissions to access one of the keys used as arguments"
    );
    let hello = format!("{:?}", client.plain("HELLO 2"));
    assert!(hello.contains("7.0."), "the version is known without INFO: {hello}");

    // A client may be somebody else, on a connection of its own; the others stay who they are.
    let mut other = respg.connect();
    for wrong in ["AUTH wrong", "AUTH app wrong", "AUTH nobody top"] {
        assert!(other.plain(wrong).to_string_lossy().starts_with("WRONGPASS"), "{wrong}");
        assert_eq!(other.plain("ACL WHOAMI").to_string_lossy(), "app");
    }
    assert_eq!(other.plain("AUTH top"), ok());
    assert_eq!(other.plain("ACL WHOAMI").to_string_lossy(), "default");
    assert_eq!(other.plain("SET other v"), ok());
    assert_eq!(client.plain("ACL WHOAMI").to_string_lossy(), "app");
    let mut same = respg.connect();
    assert_eq!(same.plain("AUTH app p@ss:word"), ok());
    assert_eq!(same.plain("GET app:k").to_string_lossy(), "v");
}

#[test]
fn what_is_wrong_is_said_to_clients() {
    let folder = Scratch::new();
    let (redis, tls) = listens_on(&folder, "unknown");
    let port = redis.address().port();
    for (url, sentence) in [
        (format!("redis://:wrong@127.0.0.1:{port}"), "refuses: WRONGPASS invalid username-password pair"),
        (format!("redis://127.0.0.1:{port}"), "refuses: NOAUTH Authentication required."),
        (format!("redis://:top@127.0.0.1:{port}/99"), "refuses: ERR DB index is out of range"),
        (format!("rediss://:top@localhost:{tls}"), "invalid peer certificate: UnknownIssuer"),
        ("unix:///nowhere/redis.sock".to_owned(), "No such file or directory"),
    ] {
        let respg = Respg::start(&["--upstream", &url, "--mode", "redis"]);
        let mut client = respg.connect();
        for line in ["GET k", "SUBSCRIBE ch", "BLPOP k 0", "EVAL return(1) 0"] {
            let said = client.plain(line).to_string_lossy();
            assert!(
                said.starts_with("LOADING the upstream Redis: ") && said.contains(sentence),
                "{line}: {said}"
            );
            assert!(!said.contains("wrong@") && !said.contains("top"), "{said}");
        }
        assert_eq!(client.plain("RESPG.MODE GET").to_string_lossy(), "redis");
        assert_eq!(client.plain("CLIENT SETNAME x"), ok());
    }
}
