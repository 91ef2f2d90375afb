//! A Postgres of a test that listens on TCP, with whatever it needs in its configuration.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use respg::postgres::OwnPostgres;
use rustix::process::{Pid, Signal, kill_process};

use super::pg::{Scratch, options};
use super::respg::blocking;

pub struct TcpPostgres {
    scratch: Scratch,
    server: Child,
    port: u16,
}

impl TcpPostgres {
    /// With `files` in its data directory; `rules` become the whole of pg_hba.conf besides the unix socket's.
    pub fn start(files: &[(&str, &str)], settings: &[&str], rules: &[&str]) -> TcpPostgres {
        TcpPostgres::start_with(&[], files, settings, rules)
    }

    /// The same with these variables in its environment.
    pub fn start_with(
        variables: &[(&str, &Path)],
        files: &[(&str, &str)],
        settings: &[&str],
        rules: &[&str],
    ) -> TcpPostgres {
        let scratch = Scratch::new();
        let programs = blocking(async {
            let postgres = OwnPostgres::start(&options(scratch.path())).await.unwrap();
            let pid = fs::read_to_string(scratch.path().join("data/postmaster.pid")).unwrap();
            let program = fs::read_link(format!("/proc/{}/exe", pid.lines().next().unwrap())).unwrap();
            postgres.stop().await.unwrap();
            program
        });
        let data = scratch.path().join("data");
        let owner = fs::metadata(&data).unwrap();
        for (name, text) in files {
            fs::write(data.join(name), text).unwrap();
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
            chown(data.join(name), Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        fs::write(data.join("pg_hba.conf"), format!("local all all trust\n{}\n", rules.join("\n"))).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut configuration = OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        let settings = settings.join("\n");
        write!(configuration, "\nlisten_addresses = '127.0.0.1'\nport = {port}\nfsync = off\n{settings}\n")
            .unwrap();
        let mut command = Command::new(&programs);
        if rustix::process::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let log = fs::File::create(scratch.path().join("log")).unwrap();
        command.arg("-D").arg(&data).arg("-k").arg(scratch.path().join("socket")).current_dir(scratch.path());
        command.envs(variables.iter().copied());
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut postgres = TcpPostgres { scratch, server, port };
        postgres.wait_until_it_serves();
        postgres
    }

    fn wait_until_it_serves(&mut self) {
        let begun = Instant::now();
        let status = self.scratch.path().join("data/postmaster.pid");
        // It says so itself: a connection would be refused with an answer that takes TLS to read.
        while !fs::read_to_string(&status).is_ok_and(|text| text.contains("ready")) {
            let log = || fs::read_to_string(self.scratch.path().join("log")).unwrap();
            assert!(self.server.try_wait().unwrap().is_none(), "Postgres does not start: {}", log());
            assert!(begun.elapsed() < Duration::from_secs(60), "Postgres does not start: {}", log());
            sleep(Duration::from_millis(20));
        }
        TcpStream::connect(("127.0.0.1", self.port)).unwrap();
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its unix socket, on which everybody is let in.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("socket")
    }

    /// Words for a connection over the unix socket, as the owner of everything.
    pub fn local(&self) -> String {
        format!("host='{}' port={} user=respg dbname=respg", self.socket().display(), self.port)
    }
}

impl Drop for TcpPostgres {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.server), Signal::INT);
        let _ = self.server.wait();
    }
}
