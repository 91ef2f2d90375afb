//! `CLIENT ID | CLIENT INFO | CLIENT LIST [TYPE type] [ID client-id ...]`
use super::{ADMIN, FAMILY};
use crate::command::prelude::*;
use crate::exec::Context;
use crate::keyspace::number::parse_i64;
use crate::state::{ClientHandle, ClientType};
use crate::store::bus::Kind as Subscribed;

pub(super) static ID: Command = Command { name: "CLIENT|ID", arity: Exactly(2), plan: id, ..FAMILY };
pub(super) static INFO: Command = Command {
    name: "CLIENT|INFO",
    arity: Exactly(2),
    tips: &["nondeterministic_output"],
    plan: info,
    ..FAMILY
};
pub(super) static LIST: Command = Command {
    name: "CLIENT|LIST",
    arity: AtLeast(2),
    flags: ADMIN,
    tips: &["nondeterministic_output"],
    plan: list,
    ..FAMILY
};

fn id(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| Ok(Reply::Integer(context.session.client.id))))
}

fn info(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        let mut text = Vec::new();
        describe(context, &context.session.client, "client|info", &mut text);
        Ok(Reply::Verbatim(text.into()))
    }))
}

enum Which {
    All,
    Type(ClientType),
    Ids(Vec<i64>),
}

fn list(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let which = if args.is_empty() {
        Which::All
    } else if args.left() == 2 && args.take("TYPE") {
        Which::Type(client_type(args.word()?)?)
    } else if args.left() > 1 && args.take("ID") {
        let id = |word: &Bytes| parse_i64(word).ok_or(CommandError::text("ERR Invalid client ID"));
        Which::Ids(args.rest().iter().map(id).collect::<Result<_, _>>()?)
    } else {
        return Err(CommandError::SYNTAX);
    };
    Ok(Plan::session(move |context| {
        let clients = context.process().clients.all();
        let wanted = |client: &ClientHandle| match &which {
            Which::All => true,
            Which::Type(kind) => client.client_type() == *kind,
            Which::Ids(ids) => ids.contains(&client.id),
        };
        let mut text = Vec::new();
        clients
            .iter()
            .filter(|client| wanted(client))
            .for_each(|client| describe(context, client, "client|list", &mut text));
        Ok(Reply::Verbatim(text.into()))
    }))
}

/// The type a word names.
pub(super) fn client_type(word: &Bytes) -> Result<ClientType, CommandError> {
    ClientType::from_name(word)
        .ok_or_else(|| CommandError::text([b"ERR Unknown client type '", &word[..], b"'"].concat()))
}

/// A client's line. What respg has no equivalent of (buffers of a single-threaded event loop) is 0.
/// `own_command` is what the asking client does.
fn describe(context: &Context<'_>, client: &ClientHandle, own_command: &str, out: &mut Vec<u8>) {
    let info = client.info();
    let own = client.id == context.session.client.id;
    let idle = if own { 0 } else { client.idle().as_secs() };
    let command = match own {
        true if context.in_exec() => "exec".to_owned(),
        true => own_command.to_owned(),
        false => context.process().commands.name(client.last_command()),
    };
    // Inside EXEC others still see what was selected before.
    let db = if own { context.session.db.0 } else { info.db };
    let (replies, bytes) = client.outbox.size();
    let [channels, patterns, shards] = Subscribed::ALL.map(|kind| client.subscriptions.count(kind));
    let mut text = |part: &[u8]| out.extend_from_slice(part);
    text(format!("id={} addr={} laddr={} fd=0 name=", client.id, client.addr, client.laddr).as_bytes());
    text(&info.name);
    text(
        format!(
            " age={} idle={idle} flags={} db={db} sub={channels} psub={patterns} ssub={shards} multi={} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 \
             rbs=0 rbp=0 obl=0 oll={replies} omem={bytes} tot-mem={bytes} events=r cmd={command} user=default redir=-1 resp={}",
            client.connected.elapsed().as_secs(),
            client.flags(),
            info.multi,
            info.resp,
        )
        .as_bytes(),
    );
    text(b" lib-name=");
    text(&info.lib_name);
    text(b" lib-ver=");
    text(&info.lib_ver);
    text(b"\n");
}
