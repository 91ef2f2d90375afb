//! `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;
use crate::keyspace::rdb::{Object, RestoreError, restore as read};

pub(super) static RESTORE: Command = Command {
    name: "RESTORE",
    arity: AtLeast(4),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(1, &["OW", "UPDATE"])],
    acl: &["@dangerous"],
    plan: restore,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::Generic, file!())
};

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    /// Checked, then forgotten: access times are not kept.
    idle: bool,
    frequency: bool,
}

impl Options {
    fn parse(args: &mut Args) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while !args.is_empty() {
            if args.take("REPLACE") {
                options.replace = true;
            } else if args.take("ABSTTL") {
                options.absolute = true;
            } else if args.left() > 1 && !options.frequency && args.take("IDLETIME") {
                options.idle = true;
                if args.integer()? < 0 {
                    return Err(CommandError::text("ERR Invalid IDLETIME value, must be >= 0"));
                }
            } else if args.left() > 1 && !options.idle && args.take("FREQ") {
                options.frequency = true;
                if !(0..=255).contains(&args.integer()?) {
                    return Err(CommandError::text("ERR Invalid FREQ value, must be >= 0 and <= 255"));
                }
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn restore(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, ttl, payload) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let Options { replace, absolute, .. } = Options::parse(args)?;
    let value = value(&ttl, &payload);
    Ok(Plan::alter(context, [key], move |view| {
        if view.exists(0) && !replace {
            return Err(CommandError::BUSY_KEY);
        }
        let (ttl, bytes) = value.clone()?;
        // Redis lets the sum run over as well: such a key has expired.
        let at = if absolute { ttl } else { ttl.wrapping_add(view.now()) };
        // As in Redis the key is new even if there was one of this name.
        let existed = view.remove(0).is_some();
        if ttl == 0 || at > view.now() {
            view.put_string(0, bytes, if ttl == 0 { Expiry::Never } else { Expiry::At(at) });
            view.note(0, Event::RESTORE);
        } else if existed {
            view.note(0, Event::DEL);
        }
        Ok(Reply::Ok)
    }))
}

/// The same value, whatever is there, to expire at a point in time.
fn effect(done: &Done<'_>) -> Effect {
    let Ok(options) = Options::parse(&mut Args::new(done.argv(), 4, "RESTORE")) else { return Effect::Keys };
    let at = match parse_i64(&done.word(2)) {
        Some(0) => Some(0),
        _ => done.time(2, 1, !options.absolute),
    };
    let Some(at) = at else { return Effect::Keys };
    let head = ["RESTORE".into(), done.word(1), Bytes::from(at.to_string()), done.word(3)];
    let words = head.into_iter().chain(["REPLACE".into(), "ABSTTL".into()]);
    if at == 0 { Effect::call(words) } else { Effect::until(at, words, Reply::Ok) }
}

/// The time to live and the string, checked in Redis's order; the key's presence is checked before.
fn value(ttl: &[u8], payload: &[u8]) -> Result<(i64, Bytes), CommandError> {
    let ttl = parse_i64(ttl).ok_or(CommandError::NOT_AN_INTEGER)?;
    if ttl < 0 {
        return Err(CommandError::text("ERR Invalid TTL value, must be >= 0"));
    }
    match read(payload) {
        Ok(Object::String(bytes)) => Ok((ttl, bytes)),
        Err(RestoreError::VersionOrChecksum) => {
            Err(CommandError::text("ERR DUMP payload version or checksum are wrong"))
        }
        Err(RestoreError::BadFormat) => Err(CommandError::text("ERR Bad data format")),
        Err(RestoreError::UnsupportedType(number)) => {
            Err(CommandError::text(format!("ERR RESTORE of RDB type {number} is not supported")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{NOW, error, expiring, keys, run_bytes};
    use crate::keyspace::rdb::dump;

    fn call(ttl: &'static str, payload: Bytes, options: &[&'static str]) -> Vec<Bytes> {
        let head = [Bytes::from("RESTORE"), Bytes::from("a"), Bytes::from(ttl), payload];
        head.into_iter().chain(options.iter().copied().map(Bytes::from)).collect()
    }

    #[test]
    fn restores() {
        let payload = || Bytes::from(dump(&Object::String(Bytes::from("new"))));
        for (ttl, options, expected) in [
            ("0", &["REPLACE"][..], keys(&[("a", "new")])),
            ("5", &["replace"], expiring("a", "new", Some(NOW + 5))),
            ("5", &["REPLACE", "ABSTTL"], keys(&[])),
            ("1800000000000", &["REPLACE", "ABSTTL"], expiring("a", "new", Some(1_800_000_000_000))),
            ("9223372036854775807", &["REPLACE"], keys(&[])),
        ] {
            let (reply, left) = run_bytes(call(ttl, payload(), options), keys(&[("a", "old")]));
            assert_eq!((reply, left), (Reply::Ok, expected), "{ttl} {options:?}");
        }
        let (reply, _) = run_bytes(call("x", "x".into(), &[]), keys(&[("a", "old")]));
        assert_eq!(reply, error("BUSYKEY Target key name already exists."));
    }

    #[test]
    fn errors() {
        for (ttl, options, text) in [
            ("x", &[][..], "ERR value is not an integer or out of range"),
            ("-1", &[], "ERR Invalid TTL value, must be >= 0"),
            ("0", &[], "ERR DUMP payload version or checksum are wrong"),
            ("0", &["IDLETIME"], "ERR syntax error"),
            ("0", &["FREQ", "1", "IDLETIME", "1"], "ERR syntax error"),
            ("0", &["FREQ", "256"], "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ] {
            assert_eq!(run_bytes(call(ttl, "x".into(), options), keys(&[])).0, error(text), "{options:?}");
        }
    }
}
