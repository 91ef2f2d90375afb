//! Sides that are away for a while are waited for: a task of hours is not given up for a restart, and whoever gives it up himself can go on later.

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::command::copy::{Call, Dialect};
use crate::copy::{Own, Redis, Speaker};
use crate::resp::Reply;
use crate::store::StoreError;
use crate::upstream::{UpstreamError, away};

const POSTGRES: &str = "PostgreSQL";
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is said that somebody is waited for.
const PERIOD: Duration = Duration::from_secs(10);

/// A side that is asked again as long as it says that it cannot answer now. Everything said to it may be said again.
pub struct Patient<S> {
    pub side: S,
    /// As people know it.
    name: String,
}

impl Patient<Redis> {
    pub fn redis(redis: Redis) -> Patient<Redis> {
        Patient { name: redis.url().place.to_string(), side: redis }
    }

    pub async fn select(&mut self, db: u32) -> Result<(), UpstreamError> {
        let mut said = None;
        loop {
            match answer(self.side.select(db), &self.name).await {
                Err(error) if cannot_be_reached(&error) => say(&mut said, &self.name, error),
                outcome => return outcome,
            }
            sleep(PAUSE).await;
        }
    }
}

impl Patient<Own> {
    pub fn postgres(own: Own) -> Patient<Own> {
        Patient { name: POSTGRES.to_owned(), side: own }
    }
}

impl<S: Speaker> Speaker for Patient<S> {
    fn dialect(&self) -> Dialect {
        self.side.dialect()
    }

    async fn speak(&mut self, calls: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
        let mut said = None;
        loop {
            let why = match answer(self.side.speak(calls.clone()), &self.name).await {
                Err(error) if cannot_be_reached(&error) => error.to_string(),
                outcome => {
                    let replies = outcome?;
                    let Some(why) = replies.iter().find_map(is_away) else { return Ok(replies) };
                    why
                }
            };
            say(&mut said, &self.name, why);
            sleep(PAUSE).await;
        }
    }
}

/// Waits for an answer, and says so.
async fn answer<T>(asked: impl Future<Output = T>, name: &str) -> T {
    let mut asked = pin!(asked);
    loop {
        match timeout(PERIOD, &mut asked).await {
            Ok(answer) => return answer,
            Err(_) => tracing::warn!("no answer of {name} for {} s, still waiting", PERIOD.as_secs()),
        }
    }
}

/// What is asked of Postgres beside keys: repeated as long as it is away.
pub async fn patiently<T, F>(mut asked: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut said = None;
    loop {
        match asked().await {
            Err(StoreError::Refused(why)) => return Err(StoreError::Refused(why)),
            Err(error) => say(&mut said, POSTGRES, error),
            Ok(answer) => return Ok(answer),
        }
        sleep(PAUSE).await;
    }
}

fn say(said: &mut Option<Instant>, name: &str, why: impl Display) {
    if said.is_none_or(|said| said.elapsed() >= PERIOD) {
        *said = Some(Instant::now());
        tracing::warn!(%why, "waiting for {name}");
    }
}

/// Whether nothing was sent, and may be later. What breaks connections again and again is not waited for.
fn cannot_be_reached(error: &UpstreamError) -> bool {
    match error {
        UpstreamError::Unreachable { .. } | UpstreamError::Away(_) => true,
        UpstreamError::Refused { reason, .. } => reason.starts_with("LOADING "),
        _ => false,
    }
}

/// Why a server does not do anything at the moment, if this reply says so.
fn is_away(reply: &Reply) -> Option<String> {
    let Reply::Error(text) = reply else { return None };
    let is_unknown = text.as_bytes() == StoreError::Unknown.to_string().as_bytes();
    if is_unknown { Some(text.to_string()) } else { away(reply) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Away in every way there is, one after the other.
    struct Away(Vec<UpstreamError>);

    impl Speaker for Away {
        fn dialect(&self) -> Dialect {
            Dialect::OWN
        }

        async fn speak(&mut self, _: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
            self.0.pop().map_or(Ok(vec![Reply::Ok]), Err)
        }
    }

    fn refused(reason: &str) -> UpstreamError {
        UpstreamError::Refused { place: "h:1".to_owned(), reason: reason.to_owned() }
    }

    #[tokio::test]
    async fn waits_for_who_cannot_be_reached() {
        let unreachable = UpstreamError::Unreachable { place: "h:1".to_owned(), reason: "gone".to_owned() };
        let away = Away(vec![refused("LOADING soon"), unreachable]);
        let mut patient = Patient { side: away, name: "h:1".to_owned() };
        assert_eq!(patient.speak(Vec::new()).await, Ok(vec![Reply::Ok]));
        patient.side.0.push(refused("WRONGPASS"));
        assert_eq!(patient.speak(Vec::new()).await, Err(refused("WRONGPASS")));
    }
}
