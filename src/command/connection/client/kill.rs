//! CLIENT KILL ip:port | CLIENT KILL [ID id] [TYPE type] [ADDR addr] [LADDR addr] [USER name] [SKIPME yes/no] [MAXAGE seconds]
use super::list::client_type;
use super::{ADMIN, FAMILY};
use crate::command::prelude::*;
use crate::exec::Context;
use crate::keyspace::number::parse_i64;
use crate::state::{ClientHandle, ClientType};

pub(super) static KILL: Command =
    Command { name: "CLIENT|KILL", arity: AtLeast(3), flags: ADMIN, plan: kill, ..FAMILY };

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
        return Ok(Plan::session(move |context| match kill_all(context, &filter) {
            0 => Err(CommandError::text("ERR No such client")),
            _ => Ok(Reply::Ok),
        }));
    }
    let filter = filter(args)?;
    Ok(Plan::session(move |context| Ok(Reply::Integer(kill_all(context, &filter)))))
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

/// Kills the clients and counts them; the caller's own connection gets its reply first.
fn kill_all(context: &mut Context<'_>, filter: &Filter) -> i64 {
    let me = context.session.client.id;
    let clients = context.process().clients.all();
    let mut killed = 0;
    for client in clients.iter().filter(|client| filter.admits(client, me)) {
        match client.id == me {
            true => context.session.close = true,
            false => client.kill(),
        }
        killed += 1;
    }
    killed
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
