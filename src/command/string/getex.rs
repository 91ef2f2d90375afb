//! `GETEX key [EX s | PX ms | EXAT ts | PXAT ts | PERSIST]`
use crate::command::options::UncheckedExpiry;
use crate::command::prelude::*;

pub(super) static GETEX: Command = Command {
    name: "GETEX",
    arity: AtLeast(2),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec {
        notes: "RW and UPDATE because it changes the TTL",
        ..KeySpec::at(1, &["RW", "ACCESS", "UPDATE"])
    }],
    plan: getex,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::String, file!())
};

#[derive(Default)]
struct Options {
    persist: bool,
    expiry: Option<UncheckedExpiry>,
}

impl Options {
    fn parse(args: &mut Args) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while !args.is_empty() {
            if options.expiry.is_none() && args.take("PERSIST") {
                options.persist = true;
                continue;
            }
            let expiry = UncheckedExpiry::take(args)?.ok_or(CommandError::SYNTAX)?;
            if options.persist || options.expiry.is_some_and(|earlier| !earlier.is_same_option(&expiry)) {
                return Err(CommandError::SYNTAX);
            }
            options.expiry = Some(expiry);
        }
        Ok(options)
    }
}

fn getex(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let Options { persist, expiry } = Options::parse(args)?;
    if !persist && expiry.is_none() {
        return Ok(Plan::read(context, [key], |view| Ok(view.string(0)?.cloned().into())));
    }
    Ok(Plan::update(context, [key], move |view| {
        view.note_miss(0);
        let Some(value) = view.string(0)?.cloned() else { return Ok(Reply::Null) };
        // Only now: for an absent key Redis does not look at the number.
        let expiry = expiry.as_ref().map(|expiry| expiry.check("getex")).transpose()?;
        let at = expiry.map(|expiry| expiry.at(view.now()));
        match at {
            Some(at) if at <= view.now() => {
                view.remove(0);
                view.note(0, Event::DEL);
            }
            Some(at) => {
                view.set_expiry(0, Expiry::At(at));
                view.note(0, Event::EXPIRE);
            }
            None if view.entry(0).is_some_and(|entry| entry.expiry != Expiry::Never) => {
                view.set_expiry(0, Expiry::Never);
                view.note(0, Event::PERSIST);
            }
            None => {}
        }
        Ok(value.into())
    }))
}

/// The value is read on the other side, and the expiry is a point in time.
fn effect(done: &Done<'_>) -> Effect {
    let options = Options::parse(&mut Args::new(done.argv(), 2, "GETEX"));
    let Ok(Options { expiry: Some(expiry), .. }) = options else { return Effect::Same };
    match expiry.check("getex") {
        _ if done.is_null() => Effect::Nothing,
        Ok(expiry) => Effect::expires(expiry.at(done.at), done.word(1)),
        Err(_) => Effect::Keys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::*;

    #[test]
    fn the_key_is_looked_at_before_the_number() {
        assert_eq!(run(&["GETEX", "k", "EX", "abc"], keys(&[])).0, Reply::Null);
        let not_a_number = error("ERR value is not an integer or out of range");
        assert_eq!(run(&["GETEX", "k", "EX", "abc"], keys(&[("k", "v")])).0, not_a_number);
        assert_eq!(run(&["GETEX", "k", "EX", "1", "PERSIST"], keys(&[])).0, error("ERR syntax error"));
        assert_eq!(run(&["GETEX", "k", "PERSIST", "EX", "1"], keys(&[])).0, error("ERR syntax error"));
    }

    #[test]
    fn changes_nothing_but_the_expiry() {
        let value = || Reply::text("v");
        let expiring = |at| expiring("k", "v", at);
        for (words, after) in [
            (&["GETEX", "k"][..], expiring(Some(NOW + 9))),
            (&["GETEX", "k", "PERSIST"], expiring(None)),
            (&["GETEX", "k", "EX", "2"], expiring(Some(NOW + 2000))),
            (&["GETEX", "k", "PXAT", "1800000000001"], expiring(Some(1_800_000_000_001))),
            (&["GETEX", "k", "EXAT", "1700000000"], keys(&[])),
        ] {
            assert_eq!(run(words, expiring(Some(NOW + 9))), (value(), after), "{words:?}");
        }
    }
}
