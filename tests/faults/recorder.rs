//! A client that writes down what it does and sees.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::client::{Client, Failure, Reply};
use super::history::{History, Operation, Outcome, says_unavailable, says_unknown};
use super::model::Program;

/// A client that records what it does, and connects again (to the next server) when its connection breaks.
pub struct Recorder {
    history: Arc<History>,
    number: usize,
    servers: Vec<SocketAddr>,
    next_server: usize,
    client: Option<Client>,
}

impl Recorder {
    /// Client `number` starts at the server of that number.
    pub fn new(history: &Arc<History>, number: usize, servers: &[SocketAddr]) -> Self {
        let servers = servers.to_vec();
        Recorder { history: history.clone(), number, servers, next_server: number, client: None }
    }

    /// Runs the programs in order on keys under `group`: pipelined as far as no WATCH comes between.
    /// Returns how many operations got a reply.
    pub async fn run(&mut self, group: &str, programs: &[Program]) -> usize {
        let mut answered = 0;
        let mut rest = programs;
        while let Some(first) = rest.first() {
            let plain = rest.iter().take_while(|program| program.watch.is_empty()).count();
            if plain > 0 {
                answered += self.pipeline(group, &rest[..plain], Vec::new(), 0).await;
                rest = &rest[plain..];
            } else {
                answered += self.guarded(group, first).await;
                rest = &rest[1..];
            }
        }
        answered
    }

    async fn guarded(&mut self, group: &str, program: &Program) -> usize {
        let since = self.history.now();
        let watch = Program::one(&format!("WATCH {}", program.watch.join(" ")));
        let read = Program::one(&format!("MGET {}", program.watch.join(" ")));
        let wire = [watch.commands[0].wire(group), read.commands[0].wire(group)];
        let Some(replies) = self.exchange(&wire).await else { return 0 };
        let [Ok(Reply::Status(ok)), Ok(Reply::Array(Some(values)))] = replies.as_slice() else {
            return self.not_started(&watch, replies);
        };
        assert_eq!(ok, "OK");
        let returned = Some(self.history.now());
        let operation = Operation {
            client: Some(self.number),
            invoked: since,
            returned,
            program: read,
            watched: Vec::new(),
            watched_since: 0,
            outcome: Outcome::Replied(vec![Reply::Array(Some(values.clone()))]),
        };
        self.history.record(group, operation);
        let values = values.iter().map(|value| match value {
            Reply::Bulk(value) => value.clone(),
            other => panic!("MGET answered {other:?}"),
        });
        let watched: Vec<_> = program.watch.iter().cloned().zip(values).collect();
        if program.only_if.is_some() && watched.iter().any(|(_, value)| *value != program.only_if) {
            return self.exchange(&[vec!["UNWATCH".into()]]).await.map_or(0, |_| 1);
        }
        self.pipeline(group, std::slice::from_ref(program), watched, since).await
    }

    fn not_started(&mut self, program: &Program, replies: Vec<Result<Reply, Failure>>) -> usize {
        self.client = None;
        for reply in replies {
            match reply {
                Err(Failure::Hung) => self.history.complain(format!("{program:?} was not answered in time")),
                Ok(Reply::Error(text)) => self.heard(&text),
                _ => {}
            }
        }
        0
    }

    async fn pipeline(
        &mut self,
        group: &str,
        programs: &[Program],
        watched: Vec<(String, Option<String>)>,
        watched_since: u64,
    ) -> usize {
        let wire: Vec<Vec<String>> = programs.iter().flat_map(|program| wire(program, group)).collect();
        if watched.is_empty() && !self.connected().await {
            return 0;
        }
        let Some(client) = &mut self.client else { return 0 };
        let invoked = self.history.now();
        let mut broken = client.send(&wire).await.err();
        let mut answered = 0;
        for program in programs {
            let outcome = match (&broken, &mut self.client) {
                (None, Some(client)) => receive(client, program).await,
                _ => Err(Failure::Broken("earlier".into())),
            };
            let returned = self.history.now();
            let outcome = match outcome {
                Ok(Answer::Took(outcome)) => outcome,
                Ok(Answer::Refused(text)) => {
                    self.heard(&text);
                    continue;
                }
                Ok(Answer::Unknown(text)) => {
                    self.heard(&text);
                    Outcome::Unknown
                }
                Err(failure) => {
                    if matches!(failure, Failure::Hung) {
                        self.history.complain(format!("{program:?} on {group}* was not answered in time"));
                    }
                    broken = Some(failure);
                    Outcome::Unknown
                }
            };
            let known = outcome != Outcome::Unknown;
            answered += usize::from(known);
            let operation = Operation {
                client: Some(self.number),
                invoked,
                returned: known.then_some(returned),
                program: program.clone(),
                watched: watched.clone(),
                watched_since,
                outcome,
            };
            self.history.record(group, operation);
        }
        if broken.is_some() {
            self.client = None;
        }
        answered
    }

    async fn exchange(&mut self, wire: &[Vec<String>]) -> Option<Vec<Result<Reply, Failure>>> {
        if !self.connected().await {
            return None;
        }
        let client = self.client.as_mut()?;
        let mut replies = Vec::new();
        if let Err(failure) = client.send(wire).await {
            return Some(vec![Err(failure)]);
        }
        for _ in wire {
            replies.push(client.receive().await);
        }
        Some(replies)
    }

    async fn connected(&mut self) -> bool {
        if self.client.is_none() {
            self.client = Client::connect(self.servers[self.next_server % self.servers.len()]).await.ok();
            if self.client.is_none() {
                self.next_server += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        self.client.is_some()
    }

    fn heard(&self, text: &str) {
        self.history.refused.fetch_add(1, Ordering::Relaxed);
        if !says_unavailable(text) && !says_unknown(text) {
            self.history.complain(format!("an unexpected error: {text}"));
        }
    }
}

enum Answer {
    Took(Outcome),
    /// An error that says nothing has happened.
    Refused(String),
    Unknown(String),
}

fn wire(program: &Program, group: &str) -> Vec<Vec<String>> {
    let commands = program.commands.iter().map(|command| command.wire(group));
    match program.atomic {
        false => commands.collect(),
        true => std::iter::once(vec!["MULTI".into()]).chain(commands).chain([vec!["EXEC".into()]]).collect(),
    }
}

async fn receive(client: &mut Client, program: &Program) -> Result<Answer, Failure> {
    if !program.atomic {
        return Ok(match client.receive().await? {
            Reply::Error(text) if says_unknown(&text) => Answer::Unknown(text),
            Reply::Error(text) if says_unavailable(&text) => Answer::Refused(text),
            reply => Answer::Took(Outcome::Replied(vec![reply])),
        });
    }
    for _ in 0..=program.commands.len() {
        client.receive().await?;
    }
    Ok(match client.receive().await? {
        Reply::Array(Some(replies)) => Answer::Took(Outcome::Replied(replies)),
        Reply::Array(None) => Answer::Took(Outcome::Aborted),
        Reply::Error(text) if says_unknown(&text) => Answer::Unknown(text),
        Reply::Error(text) => Answer::Refused(text),
        other => Answer::Refused(format!("EXEC answered {other:?}")),
    })
}
