//! What is there when nobody works any more, and whether all of it can be taken to its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::super::client::{Client, Reply};
use super::journal::{Entry, Id, items, text};

/// A stream with all its entries.
pub struct Estate {
    pub stream: String,
    pub entries: Vec<Entry>,
    pub groups: Vec<GroupEstate>,
}

pub struct GroupEstate {
    pub name: &'static str,
    pub last_delivered: Id,
    /// How often each pending entry was delivered.
    pub pending: BTreeMap<Id, i64>,
}

/// The producer number of the entry that is added afterwards.
const EPILOGUE: u64 = 1_000_000;

/// Waits until whatever was under way when its client left has come to its end.
pub async fn quiet(servers: &[SocketAddr], streams: &[&str]) -> Result<(), String> {
    let mut clients = Vec::new();
    for &server in servers {
        clients.push(Client::connect(server).await.map_err(|failure| failure.to_string())?);
    }
    let (end, mut before) = (Instant::now() + Duration::from_secs(30), None);
    while Instant::now() < end {
        sleep(Duration::from_millis(300)).await;
        let mut seen = String::new();
        let mut alone = true;
        for client in &mut clients {
            // The fake does not know; there all happens at once.
            if let Ok(info) = call(client, "INFO clients").await {
                alone &= text(&info).is_some_and(|info| info.contains("connected_clients:1\r"));
            }
            for stream in streams {
                seen += &format!("{:?}", call(client, &format!("XLEN {stream}")).await?);
                seen += &format!("{:?}", call(client, &format!("XINFO GROUPS {stream}")).await?);
            }
        }
        // What a process that was killed has left in Postgres is nobody's client.
        if alone && before.replace(seen.clone()).is_some_and(|before| before == seen) {
            return Ok(());
        }
    }
    Err("what the workers have left behind does not end".into())
}

/// Reads everything, then claims, reads and acknowledges what is left, and finds nothing missing and nothing left over.
pub async fn settle(
    servers: &[SocketAddr],
    at: usize,
    stream: &str,
    groups: &[&'static str],
) -> Result<Estate, String> {
    let mut clients = Vec::new();
    for &server in servers {
        clients.push(Client::connect(server).await.map_err(|failure| failure.to_string())?);
    }
    let mut entries = Vec::new();
    for (number, client) in clients.iter_mut().enumerate() {
        let seen = Entry::parse_all(&call(client, &format!("XRANGE {stream} - +")).await?)?;
        if number > 0 && seen != entries {
            return Err("the servers do not agree on what is in the stream".into());
        }
        entries = seen;
    }
    let length = call(&mut clients[0], &format!("XLEN {stream}")).await?.int();
    if length != Some(entries.len() as i64) {
        return Err(format!("XLEN is {length:?}, XRANGE finds {}", entries.len()));
    }
    let count = clients.len();
    let client = &mut clients[at % count];
    let mut estates = Vec::new();
    for &name in groups {
        estates.push(inspect(client, stream, name).await.map_err(|text| format!("{name}: {text}"))?);
    }
    let last = call(client, &format!("XADD {stream} * p {EPILOGUE} n 1")).await?;
    let last = text(&last).and_then(Id::parse).ok_or("XADD gave no id")?;
    if entries.last().is_some_and(|entry| entry.id >= last) {
        return Err(format!("{last} is not behind the last entry"));
    }
    for group in &estates {
        let mut left: Vec<Id> =
            entries.iter().map(|entry| entry.id).filter(|id| *id > group.last_delivered).collect();
        left.push(last);
        finish(client, stream, group, &left).await.map_err(|text| format!("{}: {text}", group.name))?;
    }
    Ok(Estate { stream: stream.into(), entries, groups: estates })
}

async fn inspect(client: &mut Client, stream: &str, name: &'static str) -> Result<GroupEstate, String> {
    let list = call(client, &format!("XPENDING {stream} {name} - + 1000000")).await?;
    let mut pending = BTreeMap::new();
    for line in items(&list).ok_or("XPENDING gave no list")? {
        let id = items(line).and_then(|line| Some((Id::parse(text(&line[0])?)?, line.get(3)?.int()?)));
        let (id, times) = id.ok_or_else(|| format!("XPENDING says {line:?}"))?;
        if pending.insert(id, times).is_some() {
            return Err(format!("{id} is pending twice"));
        }
    }
    let summary = call(client, &format!("XPENDING {stream} {name}")).await?;
    let summary = items(&summary).ok_or("XPENDING gave no summary")?;
    let ends = [&summary[1], &summary[2]].map(|end| text(end).and_then(Id::parse));
    let expected = [pending.keys().next().copied(), pending.keys().next_back().copied()];
    if summary[0].int() != Some(pending.len() as i64) || ends != expected {
        return Err(format!("XPENDING says {summary:?}, there are {} from {expected:?}", pending.len()));
    }
    let groups = call(client, &format!("XINFO GROUPS {stream}")).await?;
    let groups = items(&groups).ok_or("XINFO gave no list")?;
    let mine =
        groups.iter().filter_map(items).find(|fields| field(fields, "name").and_then(text) == Some(name));
    let mine = mine.ok_or("XINFO GROUPS does not know the group")?;
    if field(mine, "pending").and_then(Reply::int) != Some(pending.len() as i64) {
        return Err(format!("XINFO GROUPS says {mine:?}, {} are pending", pending.len()));
    }
    let last_delivered = field(mine, "last-delivered-id").and_then(text).and_then(Id::parse);
    Ok(GroupEstate { name, last_delivered: last_delivered.ok_or("no last-delivered-id")?, pending })
}

/// Everything pending is claimable, everything else that is `left` is new, and then nothing is left.
async fn finish(client: &mut Client, stream: &str, group: &GroupEstate, left: &[Id]) -> Result<(), String> {
    let name = group.name;
    let mut claimed = Vec::new();
    let mut cursor = String::from("0-0");
    loop {
        let reply = call(client, &format!("XAUTOCLAIM {stream} {name} heir 0 {cursor} COUNT 100")).await?;
        let [next, entries, ..] = items(&reply).ok_or("XAUTOCLAIM gave no list")? else {
            return Err(format!("XAUTOCLAIM says {reply:?}"));
        };
        claimed.extend(Entry::parse_all(entries)?.iter().map(|entry| entry.id));
        cursor = text(next).ok_or("XAUTOCLAIM gave no cursor")?.into();
        if cursor == "0-0" {
            break;
        }
    }
    if !claimed.iter().eq(group.pending.keys()) {
        let missing = group.pending.keys().find(|id| !claimed.contains(id));
        let (count, all) = (claimed.len(), group.pending.len());
        return Err(format!("{count} of {all} pending entries could be claimed; not {missing:?}"));
    }
    let new = call(client, &format!("XREADGROUP GROUP {name} heir COUNT 1000000 STREAMS {stream} >")).await?;
    let given = items(&new).and_then(|streams| items(&streams[0])).map_or(Ok(Vec::new()), |part| {
        Entry::parse_all(&part[1]).map(|entries| entries.iter().map(|entry| entry.id).collect())
    })?;
    if given != left {
        let missing = left.iter().find(|id| !given.contains(id));
        return Err(format!("{} entries were new, {} were given; not {missing:?}", left.len(), given.len()));
    }
    for ids in [&claimed, &given].into_iter().flat_map(|ids| ids.chunks(500)) {
        let list: String = ids.iter().map(|id| format!(" {id}")).collect();
        let count = call(client, &format!("XACK {stream} {name}{list}")).await?.int();
        if count != Some(ids.len() as i64) {
            return Err(format!("XACK of {} pending entries says {count:?}", ids.len()));
        }
    }
    match inspect(client, stream, name).await?.pending.len() {
        0 => Ok(()),
        count => Err(format!("{count} are pending after all were acknowledged")),
    }
}

fn field<'a>(fields: &'a [Reply], name: &str) -> Option<&'a Reply> {
    fields.chunks_exact(2).find(|pair| text(&pair[0]) == Some(name)).map(|pair| &pair[1])
}

async fn call(client: &mut Client, command: &str) -> Result<Reply, String> {
    match client.call(command).await {
        Ok(Reply::Error(text)) => Err(format!("{command:.60}: {text}")),
        Ok(reply) => Ok(reply),
        Err(failure) => Err(format!("{command:.60}: {failure}")),
    }
}
