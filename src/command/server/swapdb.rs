//! `SWAPDB index1 index2`
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;
use crate::store::statements::server;
use crate::store::{Call, Param, Row};

pub(super) static SWAPDB: Command = Command {
    name: "SWAPDB",
    arity: Exactly(3),
    flags: Flags::WRITE.and(Flags::FAST).and(Flags::BARRIER),
    acl: &["@keyspace", "@dangerous"],
    plan: swapdb,
    ..Command::in_group(Group::Server, file!())
};

fn swapdb(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let first = index(args.word()?, "ERR invalid first DB index")?;
    let second = index(args.word()?, "ERR invalid second DB index")?;
    let (first, second) = (options::existing(first, context)?, options::existing(second, context)?);
    if first == second {
        return Ok(Plan::Ready(Reply::Ok));
    }
    let params = vec![Param::Int4(first.0 as i32), Param::Int4(second.0 as i32)];
    Ok(Plan::Call(Call::write(&server::SWAPDB, params, |_: &[Row]| Reply::Ok)))
}

fn index(word: &[u8], refusal: &'static str) -> Result<i32, CommandError> {
    let number = parse_i64(word).and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| CommandError::text(refusal))
}

#[cfg(test)]
mod tests {
    use crate::command::Plan;
    use crate::command::testing::{error, plan};
    use crate::resp::Reply;

    #[test]
    fn errors_in_order() {
        for (a, b, text) in [
            ("x", "y", "ERR invalid first DB index"),
            ("0", "9999999999", "ERR invalid second DB index"),
            ("99", "y", "ERR invalid second DB index"),
            ("-1", "0", "ERR DB index is out of range"),
        ] {
            assert_eq!(plan(&["SWAPDB", a, b]).err().map(Reply::from), Some(error(text)));
        }
        assert!(matches!(plan(&["SWAPDB", "3", "3"]), Ok(Plan::Ready(Reply::Ok))));
    }
}
