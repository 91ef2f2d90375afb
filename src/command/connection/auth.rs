//! `AUTH [username] password | HELLO [protover [AUTH username password] [SETNAME clientname]]`
use super::client::valid_name;
use crate::command::prelude::*;
use crate::exec::Context;
use crate::keyspace::number::parse_i64;
use crate::resp::Protocol;

pub(super) static AUTH: Command =
    Command { name: "AUTH", arity: AtLeast(2), plan: auth, secret: |_, position| position > 0, ..FAMILY };

pub(super) static HELLO: Command = Command {
    name: "HELLO",
    arity: AtLeast(1),
    flags: FAMILY.flags.and(Flags::SETS_PROTOCOL),
    plan: hello,
    secret: |argv, position| {
        let is_auth = |back: usize| {
            position.checked_sub(back).is_some_and(|i| i >= 2 && argv[i].eq_ignore_ascii_case(b"AUTH"))
        };
        is_auth(1) || is_auth(2)
    },
    ..FAMILY
};

const FAMILY: Command = Command {
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::NO_AUTH)
        .and(Flags::ALLOW_BUSY),
    passing: Passing::Authenticates,
    ..Command::in_group(Group::Connection, file!())
};

const NO_PASSWORD: &str = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";
const HELLO_NO_AUTH: &str = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";

fn auth(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let (user, password) = match args.rest() {
        [password] => (None, password.clone()),
        [user, password] => (Some(user.clone()), password.clone()),
        _ => return Err(CommandError::SYNTAX),
    };
    Ok(Plan::session(move |context| {
        if user.is_none() && context.process().settings.password().is_empty() {
            return Err(CommandError::text(NO_PASSWORD));
        }
        authenticate(context, user.as_deref().unwrap_or(b"default"), &password)?;
        Ok(Reply::Ok)
    }))
}

fn authenticate(context: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
    if user != b"default" || !context.process().settings.admits(password) {
        return Err(CommandError::WRONG_PASS);
    }
    context.session.authenticated = true;
    Ok(())
}

/// HELLO's arguments. What stands before a mistake has its effect.
struct Greeting {
    protocol: Option<Protocol>,
    options: Vec<Result<Introduction, CommandError>>,
}

#[derive(Debug, PartialEq)]
enum Introduction {
    Auth(Bytes, Bytes),
    SetName(Bytes),
}

fn hello(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let greeting = greeting(args)?;
    Ok(Plan::session(move |context| greet(context, greeting)))
}

fn greeting(args: &mut Args) -> Result<Greeting, CommandError> {
    if args.is_empty() {
        return Ok(Greeting { protocol: None, options: Vec::new() });
    }
    let protocol = match parse_i64(args.word()?) {
        Some(2) => Some(Protocol::Resp2),
        Some(3) => Some(Protocol::Resp3),
        Some(_) => return Err(CommandError::NO_PROTO),
        None => return Err(CommandError::text("ERR Protocol version is not an integer or out of range")),
    };
    let mut options = Vec::new();
    while let Some(option) = args.peek() {
        if args.left() > 2 && args.take("AUTH") {
            options.push(Ok(Introduction::Auth(args.bytes()?, args.bytes()?)));
        } else if args.left() > 1 && args.take("SETNAME") {
            options.push(valid_name(args.bytes()?).map(Introduction::SetName));
        } else {
            let text = [b"ERR Syntax error in HELLO option '", &option[..], b"'"].concat();
            options.push(Err(CommandError::text(text)));
            break;
        }
    }
    Ok(Greeting { protocol, options })
}

fn greet(context: &mut Context<'_>, greeting: Greeting) -> Result<Reply, CommandError> {
    for option in greeting.options {
        match option? {
            Introduction::Auth(user, password) => authenticate(context, &user, &password)?,
            Introduction::SetName(name) => context.session.client.update(|info| info.name = name),
        }
    }
    if !context.session.authenticated {
        return Err(CommandError::text(HELLO_NO_AUTH));
    }
    let version = context.process().settings.config.redis_version.clone();
    let session = &mut *context.session;
    if let Some(protocol) = greeting.protocol {
        session.set_protocol(protocol);
    }
    let proto = if session.protocol == Protocol::Resp3 { 3 } else { 2 };
    Ok(Reply::Map(vec![
        (Reply::text("server"), Reply::text("redis")),
        (Reply::text("version"), Reply::bulk(version)),
        (Reply::text("proto"), Reply::Integer(proto)),
        (Reply::text("id"), Reply::Integer(session.client.id)),
        (Reply::text("mode"), Reply::text("standalone")),
        (Reply::text("role"), Reply::text("master")),
        (Reply::text("modules"), Reply::Array(Vec::new())),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&'static str]) -> Result<Vec<Introduction>, CommandError> {
        let argv: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
        greeting(&mut Args::new(&argv, 1, "HELLO"))?.options.into_iter().collect()
    }

    #[test]
    fn hello_arguments() {
        assert_eq!(
            parse(&["HELLO", "3", "auth", "u", "p", "SetName", "n"]),
            Ok(vec![Introduction::Auth("u".into(), "p".into()), Introduction::SetName("n".into())])
        );
        for (words, text) in [
            (&["HELLO", "4", "x"][..], "NOPROTO unsupported protocol version"),
            (&["HELLO", "x"], "ERR Protocol version is not an integer or out of range"),
            (&["HELLO", "2", "AUTH", "u"], "ERR Syntax error in HELLO option 'AUTH'"),
            (&["HELLO", "2", "SETNAME"], "ERR Syntax error in HELLO option 'SETNAME'"),
            (
                &["HELLO", "2", "SETNAME", "a b"],
                "ERR Client names cannot contain spaces, newlines or special characters.",
            ),
        ] {
            assert_eq!(parse(words), Err(CommandError::text(text)));
        }
    }

    #[test]
    fn secrets() {
        let argv = ["HELLO", "3", "AUTH", "u", "p", "SETNAME", "n"].map(Bytes::from);
        let shown: Vec<bool> = (0..argv.len()).map(|i| !(HELLO.secret)(&argv, i)).collect();
        assert_eq!(shown, [true, true, true, false, false, true, true]);
    }
}
