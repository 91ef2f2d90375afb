//! `CLIENT KILL ip:port | CLIENT KILL [ID id] [TYPE type] [ADDR addr] [LADDR addr] [USER name] [SKIPME yes/no] [MAXAGE seconds]`
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use super::list::client_type;
use super::{ADMIN, FAMILY};
use crate::command::prelude::*;
use crate::exec::Context;
use crate::keyspace::number::parse_i64;
use crate::state::{ClientHandle, ClientType};

pub(super) static KILL: Command =
    Command { name: "CLIENT|KILL", arity: AtLeast(3), flags: ADMIN, plan: kill, ..FAMILY };

/// Longest wait for the killed clients' connections to end.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Which clients; what is not said does not matter.
struct Filter {
    id: Option<i64>,
    kind: Option<ClientType>,
    addr: Option<Bytes>,
    laddr: Option<Bytes>,
    skip_me: bool,
    /// Seconds since it connected, at least.
    age: u64,
}

impl Filter {
    const ANY: Filter = Filter { id: None, kind: None, addr: None, laddr: None, skip_me: true, age: 0 };

    fn admits(&self, client: &ClientHandle, me: i64) -> bool {
        self.id.is_none_or(|id| client.id == id)
            && self.kind.is_none_or(|kind| client.client_type() == kind)
            && self.addr.as_ref().is_none_or(|addr| client.addr.as_bytes() == addr)
            && self.laddr.as_ref().is_none_or(|laddr| client.laddr.as_bytes() == laddr)
            && client.connected.elapsed().as_secs() >= self.age
            && !(self.skip_me && client.id == me)
    }
}

fn kill(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.left() == 1 {
        let filter = Filter { addr: Some(args.bytes()?), skip_me: false, ..Filter::ANY };
        let reply = |killed| match killed {
            0 => CommandError::text("ERR No such client").into(),
            _ => Reply::Ok,
        };
        return Ok(Plan::Steps(Box::new(Kill { filter, reply })));
    }
    Ok(Plan::Steps(Box::new(Kill { filter: filter(args)?, reply: Reply::Integer })))
}

struct Kill {
    filter: Filter,
    /// What is answered to so many killed.
    reply: fn(i64) -> Reply,
}

impl Steps for Kill {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let victims = kill_all(context, &self.filter);
            let killed = victims.len() as i64;
            // One of them may wait for a key that this EXEC holds.
            if !context.in_exec() {
                await_end(&context.session.client, &victims).await;
            }
            Ok((self.reply)(killed))
        })
    }
}

fn filter(args: &mut Args) -> Result<Filter, CommandError> {
    let mut filter = Filter::ANY;
    while args.left() > 1 {
        if args.take("ID") {
            let id = parse_i64(args.word()?).filter(|id| *id > 0);
            filter.id = Some(id.ok_or(CommandError::text("ERR client-id should be greater than 0"))?);
        } else if args.take("TYPE") {
            filter.kind = Some(client_type(args.word()?)?);
        } else if args.take("ADDR") {
            filter.addr = Some(args.bytes()?);
        } else if args.take("LADDR") {
            filter.laddr = Some(args.bytes()?);
        } else if args.take("USER") {
            let user = args.word()?;
            if user != "default" {
                return Err(CommandError::text([b"ERR No such user '", &user[..], b"'"].concat()));
            }
        } else if args.take("SKIPME") {
            filter.skip_me = match args.take("YES") {
                true => true,
                false if args.take("NO") => false,
                false => return Err(CommandError::SYNTAX),
            };
        } else if args.take("MAXAGE") {
            let age = parse_i64(args.word()?);
            let age = age.ok_or(CommandError::text("ERR maxage is not an integer or out of range"))?;
            let age = u64::try_from(age).ok().filter(|age| *age > 0);
            filter.age = age.ok_or(CommandError::text("ERR maxage should be greater than 0"))?;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    args.end()?;
    Ok(filter)
}

/// Kills the clients; the caller's own connection gets its reply first.
fn kill_all(context: &mut Context<'_>, filter: &Filter) -> Vec<Arc<ClientHandle>> {
    let me = context.session.client.id;
    let mut victims = context.process().clients.all();
    victims.retain(|client| filter.admits(client, me));
    for client in &victims {
        match client.id == me {
            true => context.session.close = true,
            false => client.kill(),
        }
    }
    victims
}

/// Waits until the others' connections are closed: whoever reads the reply may rely on it. Not for long, for they may be waiting for
/// Postgres, and not at all once `me` is killed too, for they may be waiting for that.
async fn await_end(me: &ClientHandle, victims: &[Arc<ClientHandle>]) {
    let others = victims.iter().filter(|client| client.id != me.id);
    let closed = join_all(others.map(|client| client.closed()));
    tokio::select! {
        _ = tokio::time::timeout(LONGEST_WAIT, closed) => {}
        () = me.wake.notified() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&'static str]) -> Result<Filter, CommandError> {
        let argv: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
        filter(&mut Args::new(&argv, 0, "CLIENT|KILL"))
    }

    #[test]
    fn filters() {
        let client = ClientHandle::new(7, "1.2.3.4:5".into(), "127.0.0.1:6379".into());
        let admits = |words: &[&'static str], me| parse(words).ok().unwrap().admits(&client, me);
        assert!(admits(&["ID", "7"], 1));
        assert!(!admits(&["ID", "7"], 7));
        assert!(admits(&["id", "7", "skipme", "no"], 7));
        assert!(admits(&["ADDR", "1.2.3.4:5", "LADDR", "127.0.0.1:6379", "TYPE", "normal"], 1));
        assert!(!admits(&["ADDR", "1.2.3.4:6"], 1));
        assert!(!admits(&["TYPE", "replica"], 1));
        for words in [&["ID", "7", "ADDR"][..], &["FOO", "1"], &["SKIPME", "x"]] {
            assert_eq!(parse(words).err(), Some(CommandError::SYNTAX));
        }
    }
}
