//! SET key value [NX | XX] [GET] [EX s | PX ms | EXAT ts | PXAT ts | KEEPTTL]
use crate::command::options::ExpiryOption;
use crate::command::prelude::*;

pub(super) static SET: Command = Command {
    name: "SET",
    arity: AtLeast(3),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec {
        notes: "RW and ACCESS due to the optional `GET` argument",
        ..KeySpec::at(1, &["RW", "ACCESS", "UPDATE", "VARIABLE_FLAGS"])
    }],
    plan: set,
    ..Command::in_group(Group::String, file!())
};

#[derive(Default)]
struct Options {
    if_absent: bool,
    if_present: bool,
    get: bool,
    keep_ttl: bool,
    expiry: Option<ExpiryOption>,
}

fn options(args: &mut Args) -> Result<Options, CommandError> {
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
        } else if options.expiry.is_none() && !options.keep_ttl {
            options.expiry = Some(ExpiryOption::take(args)?.ok_or(CommandError::SYNTAX)?);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok(options)
}

fn set(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, value) = (args.bytes()?, args.bytes()?);
    let Options { if_absent, if_present, get, keep_ttl, expiry } = options(args)?;
    let unresolved = expiry.map_or(Expiry::Never, ExpiryOption::unresolved);
    if !(if_absent || if_present || get || keep_ttl) {
        return Ok(Plan::overwrite(context, [key], move |view| {
            view.put_string(0, value.clone(), unresolved);
            Ok(Reply::Ok)
        }));
    }
    let apply = move |view: &mut View<'_>| {
        let old = if get { view.string(0)?.cloned().into() } else { Reply::Null };
        if (if_absent && view.exists(0)) || (if_present && !view.exists(0)) {
            return Ok(old);
        }
        match (keep_ttl, view.entry(0)) {
            (true, Some(entry)) => view.put_string(0, value.clone(), entry.expiry),
            _ => view.put_string(0, value.clone(), unresolved),
        }
        Ok(if get { old } else { Reply::Ok })
    };
    Ok(if get { Plan::update(context, [key], apply) } else { Plan::alter(context, [key], apply) })
}
