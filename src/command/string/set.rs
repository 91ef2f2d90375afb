//! `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT ts | PXAT ts | KEEPTTL]`
use crate::command::options::{ExpiryOption, UncheckedExpiry};
use crate::command::prelude::*;

pub(super) static SET: Command = Command {
    name: "SET",
    arity: AtLeast(3),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec {
        notes: "RW and ACCESS due to the optional `GET` argument",
        variable: Some(|argv| match argv[3..].iter().any(|word| word.eq_ignore_ascii_case(b"GET")) {
            true => &["RW", "ACCESS", "UPDATE"],
            false => &["OW", "UPDATE"],
        }),
        ..KeySpec::at(1, &["RW", "ACCESS", "UPDATE", "VARIABLE_FLAGS"])
    }],
    plan: set,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::String, file!())
};

#[derive(Default)]
struct Options {
    if_absent: bool,
    if_present: bool,
    get: bool,
    keep_ttl: bool,
    expiry: Option<UncheckedExpiry>,
}

impl Options {
    fn parse(args: &mut Args) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while !args.is_empty() {
            if !options.if_present && args.take("NX") {
                options.if_absent = true;
            } else if !options.if_absent && args.take("XX") {
                options.if_present = true;
            } else if args.take("GET") {
                options.get = true;
            } else if options.expiry.is_none() && args.take("KEEPTTL") {
                options.keep_ttl = true;
            } else {
                let expiry = UncheckedExpiry::take(args)?.ok_or(CommandError::SYNTAX)?;
                if options.keep_ttl || options.expiry.is_some_and(|earlier| !earlier.is_same_option(&expiry))
                {
                    return Err(CommandError::SYNTAX);
                }
                options.expiry = Some(expiry);
            }
        }
        Ok(options)
    }
}

fn set(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, value) = (args.bytes()?, args.bytes()?);
    let Options { if_absent, if_present, get, keep_ttl, expiry } = Options::parse(args)?;
    let expiry = expiry.map(|expiry| expiry.check("set")).transpose()?;
    let expiry = expiry.map_or(Expiry::Never, ExpiryOption::unresolved);
    if !(if_absent || if_present || get || keep_ttl) {
        return Ok(overwrite(context, key, value, expiry));
    }
    let apply = move |view: &mut View<'_>| {
        let old = if get { view.string(0)?.cloned().into() } else { Reply::Null };
        if get {
            view.note_miss(0);
        }
        if (if_absent && view.exists(0)) || (if_present && !view.exists(0)) {
            return Ok(old);
        }
        match (keep_ttl, view.entry(0)) {
            (true, Some(entry)) => {
                view.put_string(0, value.clone(), entry.expiry);
                view.note(0, Event::SET);
            }
            _ => put(view, 0, value.clone(), expiry),
        }
        Ok(if get { old } else { Reply::Ok })
    };
    Ok(if get { Plan::update(context, [key], apply) } else { Plan::alter(context, [key], apply) })
}

/// What was set, without the conditions that have held, to expire at a point in time.
fn effect(done: &Done<'_>) -> Effect {
    let argv = done.argv();
    let Ok(options) = Options::parse(&mut Args::new(argv, 3, "SET")) else { return Effect::Keys };
    let refused = match options.get {
        // The answer is the old value.
        true => (options.if_absent && !done.is_null()) || (options.if_present && done.is_null()),
        false => done.is_null(),
    };
    if refused {
        return Effect::Nothing;
    }
    let mut words = argv[..3].to_vec();
    if options.keep_ttl {
        words.push("KEEPTTL".into());
    }
    if let Some(expiry) = options.expiry {
        let Ok(expiry) = expiry.check("set") else { return Effect::Keys };
        let at = expiry.at(done.at);
        words.extend(["PXAT".into(), at.to_string().into()]);
        return Effect::until(at, words, Reply::Ok);
    }
    Effect::call(words)
}

/// Puts a string and notes what that means for the key.
pub(super) fn put(view: &mut View<'_>, i: usize, value: Bytes, expiry: Expiry) {
    let existed = view.exists(i);
    view.put_string(i, value, expiry);
    if view.exists(i) {
        view.note(i, Event::SET);
        if expiry != Expiry::Never {
            view.note(i, Event::EXPIRE);
        }
    } else if existed {
        view.note(i, Event::DEL);
    }
}

/// Sets the key whatever it held.
pub(super) fn overwrite(context: &PlanContext, key: Bytes, value: Bytes, expiry: Expiry) -> Plan {
    Plan::overwrite(context, [key], move |view| {
        put(view, 0, value.clone(), expiry);
        Ok(Reply::Ok)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::*;

    #[test]
    fn unconditional_sets_are_blind() {
        let access = |words: &[&str]| match plan(words) {
            Ok(Plan::Keys(op)) => (op.access, op.keys[0].value),
            other => panic!("{:?}", other.err()),
        };
        assert_eq!(access(&["SET", "k", "v", "px", "5"]), (Access::Overwrite, false));
        assert_eq!(access(&["SET", "k", "v", "NX"]), (Access::Update, false));
        assert_eq!(access(&["SET", "k", "v", "KEEPTTL"]), (Access::Update, false));
        assert_eq!(access(&["SET", "k", "v", "GET"]), (Access::Update, true));
    }

    #[test]
    fn syntax_comes_before_numbers() {
        for (options, text) in [
            ("NX XX", "ERR syntax error"),
            ("EX 10 KEEPTTL", "ERR syntax error"),
            ("KEEPTTL EX 10", "ERR syntax error"),
            ("EX abc PX 1", "ERR syntax error"),
            ("EX abc FOO", "ERR syntax error"),
            ("EX", "ERR syntax error"),
            ("PERSIST", "ERR syntax error"),
            ("EX 10 EX abc", "ERR value is not an integer or out of range"),
            ("EX abc EX 0", "ERR invalid expire time in 'set' command"),
            ("PXAT -1", "ERR invalid expire time in 'set' command"),
            ("EX 9223372036854775807", "ERR invalid expire time in 'set' command"),
            ("PX 9223372036854775807", "ERR invalid expire time in 'set' command"),
        ] {
            let words: Vec<&str> = "SET k v".split(' ').chain(options.split(' ')).collect();
            assert_eq!(plan(&words).err(), Some(CommandError::text(text)), "{options}");
        }
        assert!(plan(&["SET", "k", "v", "NX", "NX", "GET", "EX", "0", "EX", "1"]).is_ok());
    }

    #[test]
    fn what_is_dead_on_arrival_is_not_seen() {
        let (reply, state) = run(&["SET", "k", "v", "XX", "PXAT", "1"], keys(&[("k", "old")]));
        assert_eq!((reply, state), (Reply::Ok, keys(&[])));
    }
}
