//! `CLIENT GETNAME | CLIENT SETNAME connection-name | CLIENT SETINFO (LIB-NAME libname | LIB-VER libver)`
use super::FAMILY;
use crate::command::prelude::*;

pub(super) static GETNAME: Command =
    Command { name: "CLIENT|GETNAME", arity: Exactly(2), plan: getname, ..FAMILY };
pub(super) static SETNAME: Command = Command {
    name: "CLIENT|SETNAME",
    arity: Exactly(3),
    flags: FAMILY.flags.and(Flags::DESCRIBES_CLIENT),
    plan: setname,
    ..FAMILY
};
pub(super) static SETINFO: Command = Command {
    name: "CLIENT|SETINFO",
    arity: Exactly(4),
    flags: FAMILY.flags.and(Flags::DESCRIBES_CLIENT),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    plan: setinfo,
    ..FAMILY
};

fn getname(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        let name = context.session.client.info().name;
        Ok(if name.is_empty() { Reply::Null } else { Reply::Bulk(name) })
    }))
}

fn setname(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let name = valid_name(args.bytes()?)?;
    Ok(Plan::session(move |context| {
        context.session.client.update(|info| info.name = name);
        Ok(Reply::Ok)
    }))
}

fn setinfo(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let option = args.bytes()?;
    let value = args.bytes()?;
    let is_name = option.eq_ignore_ascii_case(b"LIB-NAME");
    if !is_name && !option.eq_ignore_ascii_case(b"LIB-VER") {
        return Err(CommandError::text([b"ERR Unrecognized option '", &option[..], b"'"].concat()));
    }
    if !is_printable(&value) {
        let text = b" cannot contain spaces, newlines or special characters.";
        return Err(CommandError::text([b"ERR ", &option[..], text].concat()));
    }
    Ok(Plan::session(move |context| {
        context.session.client.update(|info| match is_name {
            true => info.lib_name = value,
            false => info.lib_ver = value,
        });
        Ok(Reply::Ok)
    }))
}

/// The name, if it can stand in a line of CLIENT LIST.
pub fn valid_name(name: Bytes) -> Result<Bytes, CommandError> {
    if is_printable(&name) {
        return Ok(name);
    }
    Err(CommandError::text("ERR Client names cannot contain spaces, newlines or special characters."))
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}
