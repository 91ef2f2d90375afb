//! The connections of a case while it is played, and what the server says about the clients behind them.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::case::{Case, Variant};
use super::resp::{Client, Event};

pub struct Connection {
    pub client: Client,
    /// When something was last sent.
    pub sent: Instant,
    /// Index of the process it goes to.
    process: usize,
    /// CLIENT ID, where the case asks the server about this client.
    id: Option<String>,
}

/// A server as a case sees it.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The processes, to which connections go by turns.
    pub addresses: &'a [SocketAddr],
    /// Where requests end up, if not there.
    pub behind: Option<SocketAddr>,
}

pub struct Connections<'a> {
    place: Place<'a>,
    resp: u8,
    patience: Duration,
    /// Names of connections whose CLIENT ID is wanted.
    watched: HashSet<&'a str>,
    opened: usize,
    open: HashMap<String, Connection>,
    /// By process, for questions about clients.
    observers: HashMap<usize, Client>,
}

impl<'a> Connections<'a> {
    pub fn new(case: &'a Case, variant: Variant, place: Place<'a>) -> Connections<'a> {
        let watched = case.steps.iter().filter(|step| step.asks_for_client());
        Connections {
            place,
            resp: variant.resp,
            patience: case.patience,
            watched: watched.map(|step| &*step.connection).collect(),
            opened: 0,
            open: HashMap::new(),
            observers: HashMap::new(),
        }
    }

    /// The connection of this name, opened at its first use.
    pub fn get(&mut self, name: &str) -> Result<&mut Connection, String> {
        if !self.open.contains_key(name) {
            let process = self.opened % self.place.addresses.len();
            let mut client = connect(self.place.addresses[process])?;
            self.opened += 1;
            client.set_patience(self.patience);
            if self.resp == 3 {
                client.demand(&["HELLO", "3"])?;
            }
            let id = match self.watched.contains(name) {
                true => Some(client.demand(&["CLIENT", "ID"])?.text_lossy()),
                false => None,
            };
            self.open.insert(name.into(), Connection { client, sent: Instant::now(), process, id });
        }
        self.open.get_mut(name).ok_or_else(|| "no such connection".into())
    }

    pub fn send(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let connection = self.get(name)?;
        connection.sent = Instant::now();
        connection.client.send(bytes);
        Ok(())
    }

    pub fn close(&mut self, name: &str) {
        self.open.remove(name);
    }

    /// Waits until the server says that this client is blocked. Nothing is wrong with an event of `Nothing`.
    pub fn await_blocked(&mut self, name: &str) -> Result<Event, String> {
        let connection = self.get(name)?;
        let (process, id) = (connection.process, connection.id.clone().unwrap_or_default());
        self.await_flags(process, &id, "blocked", |flags| flags.is_some_and(|flags| flags.contains('b')))
    }

    /// Closes the connection and waits until the server does not know its client any more.
    pub fn close_noticed(&mut self, name: &str) -> Result<Event, String> {
        let connection = self.get(name)?;
        let (process, id) = (connection.process, connection.id.clone().unwrap_or_default());
        self.close(name);
        self.await_flags(process, &id, "gone", |flags| flags.is_none())
    }

    /// Closes everything. Clients that may be blocked must be known to be gone, or they would take what the next case
    /// has for its own clients.
    pub fn finish(mut self) -> Result<(), String> {
        let mut names: Vec<String> = self.open.keys().cloned().collect();
        names.sort();
        for name in names {
            if self.watched.contains(&*name)
                && let Event::Lost(problem) = self.close_noticed(&name)?
            {
                return Err(format!("connection {name}, closed at the end of the case: {problem}"));
            }
        }
        Ok(())
    }

    fn await_flags(
        &mut self,
        process: usize,
        id: &str,
        what: &str,
        fits: impl Fn(Option<&str>) -> bool,
    ) -> Result<Event, String> {
        let address = self.place.addresses[process];
        let patience = self.patience;
        let observer = match self.observers.entry(process) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(connect(address)?),
        };
        let deadline = Instant::now() + patience;
        loop {
            let list = observer.demand(&["CLIENT", "LIST", "ID", id])?.text_lossy();
            let flags = list.split(' ').find_map(|field| field.strip_prefix("flags="));
            if fits(flags) {
                return self.await_behind(process, deadline);
            }
            if Instant::now() > deadline {
                return Ok(Event::Lost(format!("not {what} within {patience:?}: {}", list.trim_end())));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What a proxy says of its clients is true a moment later of its connections to the server behind it.
    fn await_behind(&mut self, process: usize, deadline: Instant) -> Result<Event, String> {
        let (Some(behind), Some(observer)) = (self.place.behind, self.observers.get_mut(&process)) else {
            return Ok(Event::Nothing);
        };
        let mut upstream = connect(behind)?;
        loop {
            let [here, there] = [&mut *observer, &mut upstream].map(blocked_clients);
            let (here, there) = (here?, there?);
            if here == there {
                return Ok(Event::Nothing);
            }
            if Instant::now() > deadline {
                return Ok(Event::Lost(format!(
                    "{here} clients are blocked, {there} of them behind the proxy"
                )));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn blocked_clients(client: &mut Client) -> Result<usize, String> {
    let list = client.demand(&["CLIENT", "LIST"])?.text_lossy();
    let flags =
        list.lines().filter_map(|line| line.split(' ').find_map(|field| field.strip_prefix("flags=")));
    Ok(flags.filter(|flags| flags.contains('b')).count())
}

fn connect(address: SocketAddr) -> Result<Client, String> {
    Client::connect(address).map_err(|error| format!("cannot connect: {error}"))
}
