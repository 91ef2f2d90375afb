//! `COMMAND LIST [FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern)]`
use super::{FAMILY, ORDER_VARIES};
use crate::command::all;
use crate::command::prelude::*;
use crate::keyspace::glob::{self, Case};

pub(super) static LIST: Command =
    Command { name: "COMMAND|LIST", arity: AtLeast(2), tips: ORDER_VARIES, plan: list, ..FAMILY };

fn list(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.is_empty() {
        return Ok(names(all()));
    }
    if !args.take("FILTERBY") || args.left() != 2 {
        return Err(CommandError::SYNTAX);
    }
    // There are no modules.
    let is_module = args.take("MODULE");
    let is_category = args.take("ACLCAT");
    if !is_module && !is_category && !args.take("PATTERN") {
        return Err(CommandError::SYNTAX);
    }
    let value = args.word()?;
    let admitted = |command: &&'static Command| {
        if is_module {
            return false;
        }
        if is_category {
            let categories = command.acl_categories();
            return categories.iter().any(|category| value.eq_ignore_ascii_case(&category.as_bytes()[1..]));
        }
        glob::matches(value, command.lower_name().as_bytes(), Case::Insensitive)
    };
    let every = all().flat_map(|command| std::iter::once(command).chain(command.subcommands.iter().copied()));
    Ok(names(every.filter(admitted)))
}

fn names(commands: impl Iterator<Item = &'static Command>) -> Plan {
    Plan::Ready(Reply::bulks(commands.map(Command::lower_name)))
}
