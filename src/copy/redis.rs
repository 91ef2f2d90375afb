//! The other side: a Redis, on a connection of our own that is opened again when it breaks.

use std::time::Duration;

use super::Speaker;
use crate::command::copy::{Call, Dialect};
use crate::resp::Reply;
use crate::upstream::{Connection, UpstreamError, Url, away, in_time, info_field, words};

/// How often a broken connection is opened again before we give up, and the pause before the first attempt, which doubles.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(200);

/// A Redis with a database selected.
pub struct Redis {
    url: Url,
    connection: Option<Connection>,
    dialect: Dialect,
    run_id: Option<String>,
}

impl Redis {
    /// Connects and asks for the version.
    pub async fn open(url: &Url) -> Result<Redis, UpstreamError> {
        in_time(url, async {
            let mut redis =
                Redis { url: url.clone(), connection: None, dialect: Dialect::OLDEST, run_id: None };
            let mut connection = Connection::open(url).await?;
            let info = connection.call(&[words(["INFO", "server"])]).await?.pop();
            // Who may not ask for INFO is served with what every version knows.
            if let Some(reply @ (Reply::Bulk(info) | Reply::Verbatim(info))) = &info {
                redis.dialect = Dialect::from_info(info).unwrap_or(Dialect::OLDEST);
                redis.run_id = info_field(reply, "run_id:");
            }
            redis.connection = Some(connection);
            Ok(redis)
        })
        .await
    }

    /// Another connection to the same.
    pub async fn sibling(&self) -> Result<Redis, UpstreamError> {
        self.if_same(Redis::open(&self.url).await?)
    }

    async fn connect(&mut self) -> Result<Connection, UpstreamError> {
        let opened = Redis::open(&self.url).await?;
        Ok(self.if_same(opened)?.connection.expect("it was just opened"))
    }

    /// What was opened anew, if it is still the same server: cursors of SCAN mean something else in another, which may have other keys too.
    fn if_same(&self, opened: Redis) -> Result<Redis, UpstreamError> {
        match self.run_id.is_none() || self.run_id == opened.run_id {
            true => Ok(opened.with_dialect(self.dialect)),
            false => Err(UpstreamError::Another { place: self.url.place.to_string() }),
        }
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// New at each start of the server; its cursors of SCAN are good as long as this is the same.
    pub fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }

    /// Takes it for an older one than it is.
    pub fn with_dialect(self, dialect: Dialect) -> Redis {
        Redis { dialect, ..self }
    }

    pub async fn select(&mut self, db: u32) -> Result<(), UpstreamError> {
        self.url.db = db;
        let reply = self.speak(vec![words(["SELECT", &db.to_string()])]).await?;
        if let Some(why) = reply.first().and_then(away) {
            return Err(UpstreamError::Away(why));
        }
        match reply.first() {
            Some(Reply::Error(text)) => Err(UpstreamError::NoDatabase {
                place: self.url.place.to_string(),
                db,
                reason: text.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

impl Redis {
    /// As [`Speaker::speak`], but what may have been executed is not sent again.
    pub async fn speak_once(&mut self, calls: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let replies = connection.call(&calls).await?;
        self.connection = Some(connection);
        Ok(replies)
    }
}

impl Speaker for Redis {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// All that we ask for may be asked for again.
    async fn speak(&mut self, calls: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            // Not left behind half used if we are dropped.
            let outcome = match self.connection.take() {
                Some(connection) => Ok(connection),
                None => self.connect().await,
            };
            let outcome = match outcome {
                Ok(mut connection) => {
                    let replies = connection.call(&calls).await;
                    self.connection = replies.is_ok().then_some(connection);
                    replies
                }
                Err(error) => Err(error),
            };
            match outcome {
                Err(UpstreamError::Lost(_) | UpstreamError::Unreachable { .. }) if attempt < ATTEMPTS => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        unreachable!("the last attempt returns")
    }
}
