//! The directory of respg's own Postgres: who may use it, what is in it, and how it is made.
//!
//! ```text
//! <directory>/respg.lock     held by the respg that uses it
//!             data/          Postgres's own; its log is in data/log
//!             startup.log    what the server said before it opened its log
//!             socket/        or a private directory elsewhere, if this path is too long for a socket
//! ```

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio_postgres::error::SqlState;

use super::account::Account;
use super::{OwnPostgresError, OwnPostgresOptions, Programs, settings};
use crate::cpus::Cpus;

/// The superuser, and the database respg uses.
const NAME: &str = "respg";
/// Room for `/.s.PGSQL.5432` in the 104 bytes that every Unix grants to a socket's path.
const LONGEST_SOCKET_DIRECTORY: usize = 88;

/// Has a process group of its own and ignores what a terminal or systemd sends to all: respg decides when to stop.
const LEASH: &str = r#"
trap '' HUP INT QUIT TERM
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -INT "$server"; } </dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
"#;

#[derive(Debug)]
pub(super) struct Cluster {
    directory: PathBuf,
    socket: PathBuf,
    account: Option<Account>,
    programs: Programs,
    settings: Vec<(String, String)>,
    pub cpus: Option<Cpus>,
    _lock: Lock,
}

impl Cluster {
    /// Takes possession of the directory, and makes the cluster if there is none.
    pub async fn open(options: &OwnPostgresOptions) -> Result<Cluster, OwnPostgresError> {
        let wanted = options.directory.clone().map_or_else(default_directory, Ok)?;
        let directory = create_directories(&wanted).and_then(|()| fs::canonicalize(&wanted));
        let directory = directory.map_err(OwnPostgresError::io("cannot create", &wanted))?;
        let lock = Lock::take(&directory)?;
        let data = directory.join("data");
        let account = Account::choose(&data)?;
        if let Some(account) = &account {
            account.may_enter(&directory)?;
        }
        let major = major_of(&data)?;
        let programs =
            Programs::find(options.programs.as_deref(), &directory.join("programs"), &data, major).await?;
        let socket = socket_directory(&directory, account.as_ref())?;
        let OwnPostgresOptions { settings, cpus, .. } = options.clone();
        let cluster = Cluster { directory, socket, account, programs, settings, cpus, _lock: lock };
        if major.is_none() {
            cluster.initialise().await?;
        }
        Ok(cluster)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    pub fn url_of(&self, database: &str) -> String {
        format!("postgresql://{NAME}@{}/{database}", percent_encode(&self.socket))
    }

    /// One of the server programs, run by the right user, in a clean environment, with nothing to read.
    pub fn command(&self, program: &str) -> Command {
        self.in_clean_environment(Command::new(self.programs.path(program)))
    }

    /// The same on a leash: the program is interrupted when its input, a pipe, ends, be it that we close it or that we
    /// are killed. To Postgres an interrupt is a fast shutdown.
    pub fn leashed(&self, program: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", LEASH, "respg-postgres"]).arg(self.programs.path(program)).process_group(0);
        let mut command = self.in_clean_environment(shell);
        command.stdin(Stdio::piped());
        command
    }

    fn in_clean_environment(&self, mut command: Command) -> Command {
        // PGPORT, PGDATA and their like are for other servers; Postgres would report to systemd in our place.
        for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        command
            .env_remove("NOTIFY_SOCKET")
            .env("LC_ALL", "C")
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        Account::run(self.account.as_ref(), &mut command);
        command
    }

    /// Arguments of `postgres` that no file may change, and the caller's settings.
    pub fn server_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-D".to_owned(), self.data().display().to_string()];
        let fixed = [
            ("unix_socket_directories", format!("\"{}\"", self.socket.display())),
            ("port", "5432".to_owned()),
        ];
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in fixed.into_iter().chain(given) {
            arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        arguments
    }

    /// Writes `respg.conf`. Created anew and renamed: the directory belongs to a user less trusted than we may be.
    pub fn write_settings(&self) -> Result<(), OwnPostgresError> {
        let path = self.data().join("respg.conf");
        let new = self.data().join("respg.conf.new");
        let write = || -> io::Result<()> {
            remove_if_there(&new)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(settings::render(settings::memory()).as_bytes())?;
            if let Some(account) = &self.account {
                fchown(&file, Some(account.uid), Some(account.gid))?;
            }
            fs::rename(&new, &path)
        };
        write().map_err(OwnPostgresError::io("cannot write", &path))
    }

    /// respg's database in a running server, if it is not there yet.
    pub async fn create_database(&self) -> Result<(), OwnPostgresError> {
        let (client, connection) = tokio_postgres::connect(&self.url_of("postgres"), tokio_postgres::NoTls)
            .await
            .map_err(OwnPostgresError::NotAdmitted)?;
        let connection = tokio::spawn(connection);
        let created = client.batch_execute(&format!("CREATE DATABASE {NAME}")).await;
        drop(client);
        connection.abort();
        match created {
            Err(error) if error.code() != Some(&SqlState::DUPLICATE_DATABASE) => {
                Err(OwnPostgresError::NotAdmitted(error))
            }
            _ => Ok(()),
        }
    }

    /// initdb beside the final place, which is taken only by a complete cluster.
    async fn initialise(&self) -> Result<(), OwnPostgresError> {
        let new = self.directory.join("data.new");
        let removed = match fs::remove_dir_all(&new) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        let made = removed.and_then(|()| private_directory(&new, self.account.as_ref()));
        made.map_err(OwnPostgresError::io("cannot create", &new))?;
        // Trust is for the private socket; should the user open a TCP port, it asks for a password. Data checksums
        // are left to Postgres's default. Bytes are compared as bytes: no collation of the system can change an index.
        let mut initdb = self.leashed("initdb");
        initdb.arg("-D").arg(&new).args([
            "--username",
            NAME,
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ]);
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
        if self.settings.iter().any(|(name, value)| name == "fsync" && value == "off") {
            initdb.arg("--no-sync");
        }
        initdb.stdout(Stdio::null()).stderr(Stdio::piped());
        let running = async {
            let mut initdb = initdb.spawn()?;
            let _leash = initdb.stdin.take();
            initdb.wait_with_output().await
        };
        let output =
            running.await.map_err(OwnPostgresError::io("cannot run", &self.programs.path("initdb")))?;
        if !output.status.success() {
            return Err(OwnPostgresError::Initdb(reason(&output.stderr)));
        }
        let configuration = new.join("postgresql.conf");
        let include =
            || OpenOptions::new().append(true).open(&configuration)?.write_all(settings::INCLUDE.as_bytes());
        include().map_err(OwnPostgresError::io("cannot write", &configuration))?;
        fs::rename(&new, self.data()).map_err(OwnPostgresError::io("cannot rename", &new))
    }
}

/// Why a program failed: its last error, else its last line.
pub(super) fn reason(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let error = |line: &&str| ["error:", "FATAL:", "PANIC:"].iter().any(|word| line.contains(word));
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().rfind(error).or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where the data is if nobody says otherwise.
pub fn default_directory() -> Result<PathBuf, OwnPostgresError> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/respg/postgres"));
    }
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("respg/postgres")).ok_or(OwnPostgresError::NoHome)
}

/// Root's directories are passed through by the user Postgres runs as, whatever the umask says.
pub(super) fn create_directories(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directories(parent)?;
    }
    let mode = if rustix::process::geteuid().is_root() { 0o755 } else { 0o700 };
    DirBuilder::new().mode(mode).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// The right to use a directory; the kernel takes it from us when we are killed.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn take(directory: &Path) -> Result<Lock, OwnPostgresError> {
        let path = directory.join("respg.lock");
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(OwnPostgresError::io("cannot open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = file.read_to_string(&mut process);
                let process = process.trim().to_owned();
                return Err(OwnPostgresError::InUse { directory: directory.to_path_buf(), process });
            }
            Err(TryLockError::Error(error)) => return Err(OwnPostgresError::io("cannot lock", &path)(error)),
        }
        let note = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        note.map_err(OwnPostgresError::io("cannot write", &path))?;
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting still has a copy of the descriptor.
        let _ = self.0.unlock();
    }
}

/// The major version that wrote the data; `None` if there is no data yet.
fn major_of(data: &Path) -> Result<Option<u32>, OwnPostgresError> {
    if !data.exists() {
        return Ok(None);
    }
    let version = fs::read_to_string(data.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
    version.map(Some).ok_or_else(|| OwnPostgresError::NotData(data.to_path_buf()))
}

fn socket_directory(directory: &Path, account: Option<&Account>) -> Result<PathBuf, OwnPostgresError> {
    let mut socket = directory.join("socket");
    if socket.as_os_str().len() > LONGEST_SOCKET_DIRECTORY {
        let mut hasher = DefaultHasher::new();
        directory.hash(&mut hasher);
        let user = account.map_or_else(|| rustix::process::geteuid().as_raw(), |account| account.uid);
        socket = PathBuf::from(format!("/tmp/respg-{user}-{:016x}", hasher.finish()));
    }
    private_directory(&socket, account).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => OwnPostgresError::ForeignDirectory(socket.clone()),
        _ => OwnPostgresError::io("cannot create", &socket)(error),
    })?;
    Ok(socket)
}

/// A directory only for Postgres's user (and root). One that is there is accepted if it is just that.
fn private_directory(path: &Path, account: Option<&Account>) -> io::Result<()> {
    let created = DirBuilder::new().mode(0o700).create(path);
    match (created, account) {
        (Ok(()), Some(account)) => chown(path, Some(account.uid), Some(account.gid)),
        (Ok(()), None) => Ok(()),
        (Err(error), _) if error.kind() == io::ErrorKind::AlreadyExists => {
            let owner = account.map_or_else(|| rustix::process::geteuid().as_raw(), |account| account.uid);
            let there = fs::symlink_metadata(path)?;
            let private = there.is_dir() && there.uid() == owner && there.mode() & 0o077 == 0;
            if private { Ok(()) } else { Err(error) }
        }
        (Err(error), _) => Err(error),
    }
}

fn percent_encode(path: &Path) -> String {
    let mut encoded = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(*byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_host() {
        let url = format!("postgresql://respg@{}/respg", percent_encode(Path::new("/tmp/a b%/s\u{e9}")));
        assert_eq!(url, "postgresql://respg@%2Ftmp%2Fa%20b%25%2Fs%C3%A9/respg");
        let config: tokio_postgres::Config = url.parse().unwrap();
        let socket = PathBuf::from("/tmp/a b%/s\u{e9}");
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix(socket)]);
    }

    #[test]
    fn the_last_error_is_the_reason() {
        assert_eq!(reason(b"initdb: error: no room\ninitdb: removing data\n\n"), "initdb: error: no room");
        assert_eq!(reason(b"one\ntwo\n"), "two");
        assert_eq!(reason(b""), "it said nothing");
    }
}
