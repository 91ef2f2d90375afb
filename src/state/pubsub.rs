//! Who has subscribed to what: the clients of this process one by one, those of other processes as numbers. Hot path.
//!
//! A number of another process changes when its announcement comes over the bus, in the same order as the messages: what PUBLISH
//! answers is the number of subscriptions at its place in that order.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::{OptionFuture, join_all};
use tokio::sync::oneshot;

use super::Process;
use super::clients::ClientHandle;
use super::outbox::OutputLimit;
use super::waiters::Topic;
use crate::keyspace::glob::{self, Case};
use crate::resp::Reply;
use crate::store::StoreError;
use crate::store::bus::{Item, Kind, Receiver};

/// All subscriptions of the database, as far as this process knows.
#[derive(Default)]
pub struct PubSub(Mutex<Registry>);

#[derive(Default)]
struct Registry {
    here: [HashMap<Bytes, Subscribers>; 3],
    /// By process.
    elsewhere: [HashMap<Bytes, HashMap<i32, i64>>; 3],
}

/// The clients of this process that have subscribed to one name.
#[derive(Default)]
struct Subscribers {
    clients: Vec<Arc<ClientHandle>>,
    /// How many more have asked for it.
    joining: usize,
}

impl PubSub {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().expect("no panic while held")
    }

    /// How many have subscribed to this name.
    pub fn count(&self, kind: Kind, name: &Bytes) -> i64 {
        let registry = self.registry();
        registry.here(kind, name) + registry.elsewhere(kind, name)
    }

    /// How many would get a message of the channel.
    pub fn receivers(&self, kind: Kind, channel: &Bytes) -> i64 {
        let registry = self.registry();
        let here = registry.receivers_here(kind, channel).count() as i64;
        here + registry.receivers_elsewhere(kind, channel)
    }

    /// The names that anybody has subscribed to.
    pub fn names(&self, kind: Kind) -> BTreeSet<Bytes> {
        let registry = self.registry();
        let here =
            registry.here[kind as usize].iter().filter(|(_, subscribers)| !subscribers.clients.is_empty());
        here.map(|(name, _)| name).chain(registry.elsewhere[kind as usize].keys()).cloned().collect()
    }
}

impl Registry {
    fn here(&self, kind: Kind, name: &Bytes) -> i64 {
        self.here[kind as usize].get(name).map_or(0, |subscribers| subscribers.clients.len() as i64)
    }

    fn elsewhere(&self, kind: Kind, name: &Bytes) -> i64 {
        self.elsewhere[kind as usize].get(name).map_or(0, |counts| counts.values().sum())
    }

    fn receivers_elsewhere(&self, kind: Kind, channel: &Bytes) -> i64 {
        let patterns = &self.elsewhere[Kind::Pattern as usize];
        let by_pattern = || {
            let matching = patterns.iter().filter(|(pattern, _)| matches(pattern, channel));
            matching.flat_map(|(_, counts)| counts.values()).sum::<i64>()
        };
        self.elsewhere(kind, channel) + if kind == Kind::Channel { by_pattern() } else { 0 }
    }

    /// The clients here that get a message, with the pattern by which they do.
    fn receivers_here<'r>(
        &'r self,
        kind: Kind,
        channel: &'r Bytes,
    ) -> impl Iterator<Item = (Option<&'r Bytes>, &'r Arc<ClientHandle>)> {
        let direct = self.here[kind as usize].get(channel).into_iter();
        let direct = direct.flat_map(|subscribers| &subscribers.clients).map(|client| (None, client));
        let patterns = self.here[Kind::Pattern as usize].iter();
        let matching =
            patterns.filter(move |(pattern, _)| kind == Kind::Channel && matches(pattern, channel));
        direct.chain(matching.flat_map(|(pattern, subscribers)| {
            subscribers.clients.iter().map(move |client| (Some(pattern), client))
        }))
    }

    fn leave(&mut self, kind: Kind, name: &Bytes, client: &Arc<ClientHandle>) {
        let names = &mut self.here[kind as usize];
        if let Some(subscribers) = names.get_mut(name) {
            subscribers.clients.retain(|other| !Arc::ptr_eq(other, client));
            if subscribers.is_unused() {
                names.remove(name);
            }
        }
    }
}

/// A subscription under way. It becomes one when its announcement is heard, and is taken back if nobody waits for that any more.
struct Joining {
    process: Arc<Process>,
    client: Arc<ClientHandle>,
    kind: Kind,
    name: Bytes,
    ended: AtomicBool,
}

impl Joining {
    fn end(&self, heard: bool) {
        if !self.ended.swap(true, Relaxed) {
            self.process.joined(&self.client, self.kind, &self.name, heard);
        }
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl Subscribers {
    fn is_unused(&self) -> bool {
        self.clients.is_empty() && self.joining == 0
    }
}

fn matches(pattern: &[u8], channel: &[u8]) -> bool {
    glob::matches(pattern, channel, Case::Sensitive)
}

/// A message as its subscribers get it.
fn message(kind: Kind, pattern: Option<&Bytes>, channel: &Bytes, body: &Bytes) -> Reply {
    let mut parts = Vec::with_capacity(4);
    match (kind, pattern) {
        (Kind::Shard, _) => parts.push(Reply::text("smessage")),
        (_, None) => parts.push(Reply::text("message")),
        (_, Some(pattern)) => parts.extend([Reply::text("pmessage"), Reply::Bulk(pattern.clone())]),
    }
    parts.extend([Reply::Bulk(channel.clone()), Reply::Bulk(body.clone())]);
    Reply::Push(parts)
}

impl Process {
    /// A client subscribes. The first part takes place at once; the future waits until no later message can be missed.
    pub fn subscribe(
        self: &Arc<Process>,
        client: &Arc<ClientHandle>,
        kind: Kind,
        name: &Bytes,
    ) -> Option<impl Future<Output = Result<(), StoreError>> + Send + use<>> {
        {
            let mut registry = self.pubsub.registry();
            if !client.subscriptions.insert(kind, name) {
                return None;
            }
            registry.here[kind as usize].entry(name.clone()).or_default().joining += 1;
        }
        // Counted from now on, so that each subscription takes back what it asked for.
        let listening = (kind == Kind::Channel).then(|| self.bus.listen(name));
        let (process, client, name) = (self.clone(), client.clone(), name.clone());
        let joining = Arc::new(Joining {
            process: self.clone(),
            client: client.clone(),
            kind,
            name: name.clone(),
            ended: AtomicBool::new(false),
        });
        Some(async move {
            let announced = async {
                process.bus.linked().await?;
                process.announced(&joining).await
            };
            let listening = async { OptionFuture::from(listening).await.unwrap_or(Ok(())) };
            let outcome = tokio::try_join!(listening, announced).map(drop);
            if outcome.is_err() {
                drop(process.unsubscribe(&client, kind, &name));
            }
            outcome
        })
    }

    /// Announces a new subscription; when the announcement has come back the client gets messages.
    async fn announced(&self, joining: &Arc<Joining>) -> Result<(), StoreError> {
        let (sender, answer) = oneshot::channel();
        let item = Item::Count { kind: joining.kind, name: joining.name.clone(), clients: 0 };
        let joining = Arc::downgrade(joining);
        let receipt = move |outcome: Result<i64, StoreError>| {
            if let Some(joining) = joining.upgrade() {
                joining.end(outcome.is_ok());
            }
            // Whoever waited may be gone.
            let _ = sender.send(outcome.map(drop));
        };
        self.bus.say(item, Some(Box::new(receipt)));
        match tokio::time::timeout(self.store.patience, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(StoreError::Unknown),
        }
    }

    /// The end of joining.
    fn joined(&self, client: &Arc<ClientHandle>, kind: Kind, name: &Bytes, done: bool) {
        let mut registry = self.pubsub.registry();
        let subscribers = registry.here[kind as usize].entry(name.clone()).or_default();
        subscribers.joining -= 1;
        let is_there = subscribers.clients.iter().any(|other| Arc::ptr_eq(other, client));
        // It may have gone meanwhile.
        if done && !is_there && client.subscriptions.contains(kind, name) {
            subscribers.clients.push(client.clone());
            return;
        }
        if subscribers.is_unused() {
            registry.here[kind as usize].remove(name);
        }
        self.bus.say(Item::Count { kind, name: name.clone(), clients: 0 }, None);
    }

    /// A client unsubscribes, at once; the future waits until everybody knows. `None` if it had not subscribed.
    pub fn unsubscribe(
        self: &Arc<Process>,
        client: &Arc<ClientHandle>,
        kind: Kind,
        name: &Bytes,
    ) -> Option<impl Future<Output = Result<i64, StoreError>> + Send + use<>> {
        {
            let mut registry = self.pubsub.registry();
            if !client.subscriptions.remove(kind, name) {
                return None;
            }
            registry.leave(kind, name, client);
        }
        Some(self.left(kind, name))
    }

    /// A client is gone or has reset itself: it unsubscribes from everything at once; the future waits until everybody knows.
    pub fn unsubscribe_all(
        self: &Arc<Process>,
        client: &Arc<ClientHandle>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let names = {
            let mut registry = self.pubsub.registry();
            let names = client.subscriptions.take();
            names.iter().for_each(|(kind, name)| registry.leave(*kind, name, client));
            names
        };
        let left: Vec<_> = names.iter().map(|(kind, name)| self.left(*kind, name)).collect();
        async move {
            // It is done already; if the others cannot be told now, they are told later.
            join_all(left).await;
        }
    }

    fn left(&self, kind: Kind, name: &Bytes) -> impl Future<Output = Result<i64, StoreError>> + Send + use<> {
        if kind == Kind::Channel {
            self.bus.unlisten(name);
        }
        self.bus.later(Item::Count { kind, name: name.clone(), clients: 0 })
    }

    fn pubsub_limit(&self) -> OutputLimit {
        self.settings.output_limits().pubsub
    }
}

impl Receiver for Process {
    fn deliver(&self, kind: Kind, channel: &Bytes, body: &Bytes) -> i64 {
        let limit = self.pubsub_limit();
        let registry = self.pubsub.registry();
        let mut direct = None;
        let mut receivers = 0;
        for (pattern, client) in registry.receivers_here(kind, channel) {
            let message = match pattern {
                Some(_) => message(kind, pattern, channel, body),
                None => direct.get_or_insert_with(|| message(kind, None, channel, body)).clone(),
            };
            client.push(message, limit);
            receivers += 1;
        }
        receivers + registry.receivers_elsewhere(kind, channel)
    }

    fn elsewhere(&self, kind: Kind, channel: &Bytes) -> i64 {
        self.pubsub.registry().receivers_elsewhere(kind, channel)
    }

    fn own_count(&self, kind: Kind, name: &Bytes) -> i64 {
        if kind == Kind::Key {
            return self.waiters.is_announced(&Topic::from_bytes(name.clone())).into();
        }
        let registry = self.pubsub.registry();
        let subscribers = registry.here[kind as usize].get(name);
        subscribers.map_or(0, |subscribers| (subscribers.clients.len() + subscribers.joining) as i64)
    }

    fn own_names(&self) -> Vec<(Kind, Bytes)> {
        let registry = self.pubsub.registry();
        let names = |kind: Kind| registry.here[kind as usize].keys().map(move |name| (kind, name.clone()));
        let topics = self.waiters.all_announced().into_iter();
        let topics = topics.map(|topic| (Kind::Key, topic.as_bytes().clone()));
        Kind::ALL.into_iter().flat_map(names).chain(topics).collect()
    }

    fn counted(&self, process: i32, kind: Kind, name: Bytes, clients: i64) {
        if kind == Kind::Key {
            return self.waiters.elsewhere.announced(process, Topic::from_bytes(name), clients > 0);
        }
        let mut registry = self.pubsub.registry();
        let names = &mut registry.elsewhere[kind as usize];
        if clients > 0 {
            names.entry(name).or_default().insert(process, clients);
        } else if let Some(counts) = names.get_mut(&name) {
            counts.remove(&process);
            if counts.is_empty() {
                names.remove(&name);
            }
        }
    }

    fn gone(&self, process: i32) {
        self.waiters.elsewhere.gone(process);
        for names in &mut self.pubsub.registry().elsewhere {
            names.retain(|_, counts| {
                counts.remove(&process);
                !counts.is_empty()
            });
        }
    }

    fn forget_others(&self) {
        self.waiters.elsewhere.forget();
        self.pubsub.registry().elsewhere = Default::default();
    }
}
