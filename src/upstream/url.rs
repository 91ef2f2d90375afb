//! Where the upstream is: `redis://[[user]:password@]host[:port][/db]`, the same with `rediss` (TLS), `unix://[[user]:password@]/path[?db=n]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// Why a URL cannot be used: one sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("the upstream's URL begins with redis://, rediss:// or unix://")]
    Scheme,
    #[error("the upstream's URL names no host")]
    NoHost,
    #[error("the upstream's URL names no socket")]
    NoPath,
    #[error("'{0}' in the upstream's URL is not a port")]
    Port(String),
    #[error("'{0}' in the upstream's URL is not the number of a database")]
    Database(String),
    #[error("'{0}' in the upstream's URL is not understood; only unix:// takes ?db=NUMBER")]
    Parameter(String),
}

/// What to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

/// An upstream and how to introduce oneself to it. Displayed without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    pub place: Place,
    pub user: Option<String>,
    pub password: Option<String>,
    pub db: u32,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        // As libraries do: a password may hold an @ that nobody has encoded.
        let (identity, rest) = match rest.rsplit_once('@') {
            Some((identity, rest)) => (Some(identity), rest),
            None => (None, rest),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (place, db) = match scheme {
            "redis" | "rediss" => {
                if let Some(query) = query {
                    return Err(UrlError::Parameter(query.to_owned()));
                }
                let (authority, db) = rest.split_once('/').unwrap_or((rest, ""));
                let (host, port) = host_and_port(authority)?;
                (Place::Tcp { host, port, tls: scheme == "rediss" }, db)
            }
            "unix" | "redis+unix" => {
                let db = match query.map(|query| query.strip_prefix("db=").ok_or(query)) {
                    None => "",
                    Some(Ok(db)) => db,
                    Some(Err(query)) => return Err(UrlError::Parameter(query.to_owned())),
                };
                if rest.is_empty() {
                    return Err(UrlError::NoPath);
                }
                (Place::Unix(decoded(rest).into()), db)
            }
            _ => return Err(UrlError::Scheme),
        };
        let db = match db.trim_end_matches('/') {
            "" => 0,
            digits => digits.parse().map_err(|_| UrlError::Database(digits.to_owned()))?,
        };
        let (user, password) = identity.map_or((None, None), credentials);
        Ok(Url { place, user, password, db })
    }
}

fn host_and_port(authority: &str) -> Result<(String, u16), UrlError> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    let port = match port {
        None | Some("") => 6379,
        Some(digits) => digits.parse().map_err(|_| UrlError::Port(digits.to_owned()))?,
    };
    Ok((decoded(host), port))
}

/// A word without a colon is a password, as for redis-cli; libraries differ about it.
fn credentials(identity: &str) -> (Option<String>, Option<String>) {
    let (user, password) = identity.split_once(':').unwrap_or(("", identity));
    let some = |text: &str| Some(decoded(text)).filter(|text| !text.is_empty());
    (some(user), some(password))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, database) = match &self.place {
            Place::Tcp { tls: false, .. } => ("redis", "/"),
            Place::Tcp { tls: true, .. } => ("rediss", "/"),
            Place::Unix(_) => ("unix", "?db="),
        };
        write!(f, "{scheme}://{}{database}{}", self.place, self.db)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands() {
        for (text, shown, user, password) in [
            ("redis://h", "redis://h:6379/0", None, None),
            ("redis://:p%40w@h:1/2", "redis://h:1/2", None, Some("p@w")),
            ("redis://p@w@h", "redis://h:6379/0", None, Some("p@w")),
            ("rediss://u:p@[::1]:7/", "rediss://[::1]:7/0", Some("u"), Some("p")),
            ("unix:///run/redis.sock?db=3", "unix:///run/redis.sock?db=3", None, None),
            ("unix://u:p@/run/r.sock", "unix:///run/r.sock?db=0", Some("u"), Some("p")),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!((url.user.as_deref(), url.password.as_deref()), (user, password), "{text}");
        }
    }

    #[test]
    fn refuses() {
        for (text, error) in [
            ("h:6379", UrlError::Scheme),
            ("http://h", UrlError::Scheme),
            ("redis://", UrlError::NoHost),
            ("unix://", UrlError::NoPath),
            ("redis://h:x", UrlError::Port("x".into())),
            ("redis://h/x", UrlError::Database("x".into())),
            ("redis://h?a=b", UrlError::Parameter("a=b".into())),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }
}
