//! Sockets to the upstream: TCP, TLS, unix.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::url::Place;

/// Longest time that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A host that vanishes is noticed after some 15 seconds, or this long after something was sent to it.
const KEEPALIVE: Duration = Duration::from_secs(5);
const UNANSWERED: Duration = Duration::from_secs(20);

/// Any of them.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

pub async fn connect(place: &Place) -> io::Result<Box<dyn Socket>> {
    match tokio::time::timeout(CONNECT_TIMEOUT, open(place)).await {
        Ok(socket) => socket,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
    }
}

async fn open(place: &Place) -> io::Result<Box<dyn Socket>> {
    match place {
        Place::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Place::Tcp { host, port, tls } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(2);
            let socket = SockRef::from(&stream);
            socket.set_tcp_keepalive(&keepalive)?;
            // Keepalive rests while something is on its way; without this that would last a quarter of an hour.
            #[cfg(target_os = "linux")]
            socket.set_tcp_user_timeout(Some(UNANSWERED))?;
            if !tls {
                return Ok(Box::new(stream));
            }
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            Ok(Box::new(TlsConnector::from(client_config()?).connect(name, stream).await?))
        }
    }
}

/// Trusts the machine's authorities; SSL_CERT_FILE names others.
fn client_config() -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
