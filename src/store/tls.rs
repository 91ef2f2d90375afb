//! Where Postgres is and how to get there: a connection string with libpq's meaning of its TLS words.

use std::env;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Notification};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::carrier::Driver;
use super::left::Left;
use super::local::LocalSocket;
use super::url;

const WORDS: &[&str] = &["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// Why a connection string cannot be used: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("the database URL is not understood: {0}")]
    Url(String),
    #[error(
        "the database URL names no host (for a unix socket: the folder that it is in, /var/run/postgresql)"
    )]
    NoHost,
    #[error("sslmode '{0}' is not disable, allow, prefer, require, verify-ca or verify-full")]
    Mode(String),
    #[error(
        "sslrootcert=system needs sslmode=verify-full: anybody can have a certificate of a public authority"
    )]
    WeakMode,
    #[error("sslmode={0} needs the certificate of an authority: set sslrootcert to its file, or to system")]
    NoRoots(String),
    #[error(
        "sslrootcert=system: this machine has no certificates of authorities (apt install ca-certificates)"
    )]
    NoSystemRoots,
    #[error("sslcert and sslkey need each other")]
    HalfIdentity,
    #[error("{word} {}: {reason}", .path.display())]
    File { word: &'static str, path: PathBuf, reason: String },
}

/// A Postgres to connect to.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: MakeRustlsConnect,
    /// Ways to try, the first that the server agrees to is taken.
    modes: &'static [SslMode],
    shared_sessions: bool,
    pub(super) left: Arc<Left>,
    /// The number of the advisory lock that this process's sessions share.
    pub(super) sessions: i32,
}

impl Target {
    /// Reads a URL or key=value words, with PGSSLMODE and PGSSLROOTCERT for what they do not say.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let (rest, words) = url::split(text, WORDS);
        let config: Config = rest.parse().map_err(|error| TargetError::Url(explain(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(TargetError::NoHost);
        }
        let word = |name: &str, variable: &str| {
            let said = words.iter().rev().find(|(word, _)| word == name).map(|(_, value)| value.clone());
            said.or_else(|| env::var(variable).ok()).filter(|value| !value.is_empty())
        };
        let wanted = Wanted {
            mode: word("sslmode", "PGSSLMODE"),
            roots: word("sslrootcert", "PGSSLROOTCERT"),
            certificate: word("sslcert", "PGSSLCERT").map(PathBuf::from),
            key: word("sslkey", "PGSSLKEY").map(PathBuf::from),
        };
        let on_this_machine = config.get_hostaddrs().is_empty()
            && config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let (tls, modes) = wanted.understand(&config)?;
        let modes = if on_this_machine { &[SslMode::Disable] } else { modes };
        let sessions = (RandomState::new().hash_one(0) >> 33) as i32;
        Ok(Target { config, tls, modes, shared_sessions: false, left: Arc::default(), sessions })
    }

    /// With a name and a time limit for connecting, unless the connection string has them.
    pub fn with_defaults(mut self, application: &str, connect_timeout: Duration) -> Target {
        if self.config.get_application_name().is_none() {
            self.config.application_name(application);
        }
        if self.config.get_connect_timeout().is_none() {
            self.config.connect_timeout(connect_timeout);
        }
        self
    }

    /// Behind a pooler that gives each transaction another server process: sessions cannot have settings of their own.
    pub fn with_shared_sessions(mut self, shared: bool) -> Target {
        self.shared_sessions = shared;
        self
    }

    pub fn shared_sessions(&self) -> bool {
        self.shared_sessions
    }

    pub fn connect_timeout(&self) -> Option<Duration> {
        self.config.get_connect_timeout().copied()
    }

    /// Connects; a task of its own drives the connection and ends with the client.
    pub async fn connect(
        &self,
    ) -> Result<(Client, JoinHandle<Result<(), tokio_postgres::Error>>), tokio_postgres::Error> {
        let (client, driver) = self.connect_undriven().await?;
        Ok((client, tokio::spawn(driver)))
    }

    /// Connects for LISTEN. While nobody takes the notifications nothing is read from Postgres; they end with the connection.
    pub async fn connect_listening(
        &self,
    ) -> Result<(Client, mpsc::Receiver<Notification>), tokio_postgres::Error> {
        let (client, mut driver) = self.connect_undriven().await?;
        let (sender, notifications) = mpsc::channel(UNREAD_NOTIFICATIONS);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| driver.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message
                    && sender.send(notification).await.is_err()
                {
                    break;
                }
            }
        });
        Ok((client, notifications))
    }

    /// Connects; the client works while somebody polls the driver.
    pub(super) async fn connect_undriven(&self) -> Result<(Client, Driver), tokio_postgres::Error> {
        let mut config = self.config.clone();
        let (last, others) = self.modes.split_last().expect("there is a way");
        for mode in others {
            match config.ssl_mode(*mode).connect(self.tls.clone()).await {
                Err(error) if another_way(&error) => {}
                outcome => return outcome.map(|(client, driver)| (client, Driver::Other(Box::new(driver)))),
            }
        }
        config.ssl_mode(*last);
        // If there is none at the path, the ordinary way says why.
        if let Some(path) = self.local()
            && let Ok(socket) = LocalSocket::connect(&path).await
        {
            let (client, driver) = config.connect_raw(socket, NoTls).await?;
            return Ok((client, Driver::Local(Box::new(driver))));
        }
        let (client, driver) = config.connect(self.tls.clone()).await?;
        Ok((client, Driver::Other(Box::new(driver))))
    }

    /// The unix socket, if that is the only way there is.
    fn local(&self) -> Option<PathBuf> {
        match (self.config.get_hosts(), self.config.get_hostaddrs(), self.config.get_ports()) {
            ([Host::Unix(folder)], [], ports) if ports.len() < 2 => {
                let port = ports.first().copied().unwrap_or(5432);
                Some(folder.join(format!(".s.PGSQL.{port}")))
            }
            _ => None,
        }
    }
}

/// How many notifications wait here for who takes them; more wait in Postgres.
const UNREAD_NOTIFICATIONS: usize = 1024;

/// Whether the server might let us in with TLS instead of without, or the other way round.
fn another_way(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) || cause(error).is_some()
}

/// What TLS has to say about a failed connection.
fn cause(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    let source = std::error::Error::source(error)?.downcast_ref::<std::io::Error>()?;
    source.get_ref()?.downcast_ref()
}

/// An error without an answer of the server, in words.
pub(super) fn explain(error: &tokio_postgres::Error) -> String {
    match (cause(error), std::error::Error::source(error)) {
        (Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)), _) => {
            "the server's certificate is not signed by an authority in sslrootcert".to_owned()
        }
        (Some(rustls::Error::InvalidCertificate(why)), _) => {
            format!("the server's certificate is refused: {why}")
        }
        (Some(tls), _) => format!("TLS failed: {tls}"),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}

/// What the connection string says about TLS.
struct Wanted {
    mode: Option<String>,
    roots: Option<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Wanted {
    fn understand(&self, config: &Config) -> Result<(MakeRustlsConnect, &'static [SslMode]), TargetError> {
        let system = self.roots.as_deref() == Some("system");
        let mode = self.mode.as_deref().unwrap_or(if system { "verify-full" } else { "prefer" });
        if system && mode != "verify-full" {
            return Err(TargetError::WeakMode);
        }
        let (modes, check): (&[SslMode], Check) = match mode {
            "disable" => (&[SslMode::Disable], Check::Nothing),
            "allow" => (&[SslMode::Disable, SslMode::Require], Check::Nothing),
            // libpq checks here too, and goes on without TLS when the check fails.
            "prefer" => (&[SslMode::Prefer, SslMode::Disable], Check::Nothing),
            "require" => match self.authorities()? {
                Some(authorities) => (&[SslMode::Require], Check::Authority(authorities)),
                None => (&[SslMode::Require], Check::Nothing),
            },
            "verify-ca" | "verify-full" => {
                let authorities = self.authorities()?.ok_or_else(|| TargetError::NoRoots(mode.to_owned()))?;
                let check = match mode {
                    "verify-ca" => Check::Authority(authorities),
                    _ => Check::AuthorityAndName(authorities),
                };
                (&[SslMode::Require], check)
            }
            other => return Err(TargetError::Mode(other.to_owned())),
        };
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier { provider: provider.clone(), check });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut tls = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let read =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("sslkey", key, error))?;
                builder
                    .with_client_auth_cert(certificates("sslcert", certificate)?, read)
                    .map_err(|error| unusable("sslkey", key, error))?
            }
            _ => return Err(TargetError::HalfIdentity),
        };
        if config.get_ssl_negotiation() == SslNegotiation::Direct {
            tls.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok((MakeRustlsConnect::new(tls), modes))
    }

    /// The authorities that are trusted: those named, else libpq's file if there is one.
    fn authorities(&self) -> Result<Option<Authorities>, TargetError> {
        let certificates = match self.roots.as_deref() {
            Some("system") => rustls_native_certs::load_native_certs().certs,
            Some(path) => certificates("sslrootcert", Path::new(path))?,
            None => {
                let usual = env::home_dir().map(|home| home.join(".postgresql/root.crt"));
                match usual.filter(|path| path.exists()) {
                    Some(path) => certificates("sslrootcert", &path)?,
                    None => return Ok(None),
                }
            }
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        match roots.is_empty() {
            true => Err(TargetError::NoSystemRoots),
            false => Ok(Some(Authorities { certificates, roots })),
        }
    }
}

fn certificates(word: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(unusable(word, path, "it holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(rustls::pki_types::pem::Error::Io(error)) => Err(unusable(word, path, error)),
        Err(error) => Err(unusable(word, path, error)),
    }
}

fn unusable(word: &'static str, path: &Path, reason: impl std::fmt::Display) -> TargetError {
    TargetError::File { word, path: path.to_owned(), reason: reason.to_string() }
}

#[derive(Debug)]
struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

/// What must be right about the server's certificate.
#[derive(Debug)]
enum Check {
    Nothing,
    Authority(Authorities),
    AuthorityAndName(Authorities),
}

#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    check: Check,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authorities = match &self.check {
            Check::Nothing => return Ok(ServerCertVerified::assertion()),
            Check::Authority(authorities) | Check::AuthorityAndName(authorities) => authorities,
        };
        let parsed = ParsedCertificate::try_from(certificate)?;
        // A self-signed certificate may stand in sslrootcert itself; it is no authority to webpki.
        if !authorities.certificates.iter().any(|trusted| trusted == certificate) {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &authorities.roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        if let Check::AuthorityAndName(_) = self.check {
            verify_server_name(&parsed, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
