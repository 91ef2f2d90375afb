//! TLS to Postgres, as libpq understands its words.

use std::fs;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};

use crate::support::authority::authority;
use crate::support::client::ok;
use crate::support::pg::{Scratch, connect};
use crate::support::respg::{Respg, blocking, refusal};
use crate::support::tcp_postgres::TcpPostgres;

struct Secured {
    postgres: TcpPostgres,
    folder: Scratch,
}

impl Secured {
    /// A Postgres for `localhost` that lets nobody in without TLS. Its authority is in `right.crt`, another in `wrong.crt`.
    fn start() -> Secured {
        let (right, wrong) = (authority("right"), authority("wrong"));
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &right).unwrap();
        let files = [("server.key", key.serialize_pem()), ("server.crt", certificate.pem())];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let rules = ["hostssl all scram 127.0.0.1/32 scram-sha-256", "hostssl all all 127.0.0.1/32 trust"];
        let postgres = TcpPostgres::start(&files, &["ssl = on"], &rules);
        let secured = Secured { postgres, folder: Scratch::new() };
        fs::write(secured.file("right.crt"), right.pem()).unwrap();
        fs::write(secured.file("wrong.crt"), wrong.pem()).unwrap();
        fs::write(secured.file("server.crt"), certificate.pem()).unwrap();
        secured
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, host: &str, words: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        let words = words.replace("FOLDER", &folder);
        format!("postgres://respg@{host}:{}/respg?{words}", self.postgres.port())
    }
}

#[test]
fn postgres_with_tls() {
    let secured = Secured::start();
    let accepted = [
        ("localhost", ""),
        ("localhost", "sslmode=prefer"),
        ("localhost", "sslmode=allow"),
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=FOLDER%2Fright.crt"),
        ("localhost", "sslmode=verify-full&sslrootcert=FOLDER%2Fright.crt"),
        ("localhost", "sslmode=verify-full&sslrootcert=FOLDER%2Fserver.crt"),
    ];
    for (host, words) in accepted {
        let respg = Respg::on(&secured.url(host, words), &["--threads", "1"]);
        assert_eq!(respg.connect().plain("SET k v"), ok(), "{host} {words}");
    }
    let words = format!(
        "host=localhost port={} user=respg dbname=respg sslmode = 'verify-full' sslrootcert='{}'",
        secured.postgres.port(),
        secured.file("right.crt").display()
    );
    assert_eq!(Respg::on(&words, &["--threads", "1"]).connect().plain("GET k"), "v");

    let unsigned =
        "cannot use the database: the server's certificate is not signed by an authority in sslrootcert";
    let refused = [
        ("localhost", "sslmode=disable", "cannot use the database: no pg_hba.conf entry for host "),
        ("localhost", "sslmode=verify-full&sslrootcert=FOLDER%2Fwrong.crt", unsigned),
        ("localhost", "sslmode=verify-ca&sslrootcert=FOLDER%2Fwrong.crt", unsigned),
        // As in libpq, an authority is there to be asked.
        ("localhost", "sslmode=require&sslrootcert=FOLDER%2Fwrong.crt", unsigned),
        (
            "127.0.0.1",
            "sslmode=verify-full&sslrootcert=FOLDER%2Fright.crt",
            "cannot use the database: the server's certificate is refused: certificate not valid for name \"127.0.0.1\"",
        ),
        ("localhost", "sslmode=verify-full&sslrootcert=FOLDER%2Fnone.crt", "sslrootcert /tmp/"),
        ("localhost", "sslmode=verify-full", "sslmode=verify-full needs the certificate of an authority: "),
        ("localhost", "sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full: "),
        ("localhost", "sslmode=always", "sslmode 'always' is not disable, allow, prefer, "),
    ];
    for (host, words, sentence) in refused {
        let said = refusal(&secured.url(host, words), &[]);
        let expected =
            format!("respg: {}", sentence.replace("/tmp/", &format!("{}/", std::env::temp_dir().display())));
        assert!(said.starts_with(&expected), "{host} {words}:\n{said}\ninstead of\n{expected}");
    }
}

#[test]
fn a_password_bound_to_the_channel() {
    let secured = Secured::start();
    blocking(async {
        let owner = connect(&secured.postgres.local()).await;
        let role =
            "SET password_encryption = 'scram-sha-256'; CREATE ROLE scram LOGIN SUPERUSER PASSWORD 'secret'";
        owner.batch_execute(role).await.unwrap();
    });
    let url = secured.url("localhost", "sslmode=require&channel_binding=require");
    let respg = Respg::on(&url.replace("respg@", "scram:secret@"), &["--threads", "1"]);
    assert_eq!(respg.connect().plain("SET k v"), ok());
    let said = refusal(&url.replace("respg@", "scram:wrong@"), &[]);
    assert_eq!(said, "respg: cannot use the database: password authentication failed for user \"scram\"");
}

#[test]
fn a_unix_socket_needs_no_tls() {
    let secured = Secured::start();
    let respg = Respg::on(&format!("{} sslmode=require", secured.postgres.local()), &["--threads", "1"]);
    assert_eq!(respg.connect().plain("SET k v"), ok());
}
