//! Each way a case can expect something of several connections fails on a server that breaks it.

use std::cell::RefCell;

use super::proxy::{self, Fault, Traffic};
use crate::runner::known::Known;
use crate::runner::parse::parse;
use crate::runner::resp::Reply;
use crate::runner::servers::{Kind, Launcher, Server};
use crate::runner::suite::Suite;

struct Expectation {
    what: &'static str,
    fault: Fault,
    /// Without its head; the line that must fail is marked by `!`.
    case: &'static str,
}

const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        what: "loses messages",
        fault: on_message(|_, _, _| {}),
        case: "@a SUBSCRIBE ch\n@b PUBLISH ch x\n!@a <",
    },
    Expectation {
        what: "delivers messages twice",
        fault: on_message(|traffic, from, reply| traffic.deliver(from, &reply.raw.repeat(2))),
        case: "@a SUBSCRIBE ch\n@b PUBLISH ch x\n@a <\n@b PUBLISH ch y\n!@a <",
    },
    Expectation {
        what: "says more than it is asked",
        fault: on_message(|traffic, from, reply| traffic.deliver(from, &reply.raw.repeat(2))),
        case: "@a SUBSCRIBE ch\n@b PUBLISH ch x\n@a <\n!@a < nothing 50",
    },
    Expectation {
        what: "exchanges two messages",
        fault: on_message(|traffic, from, reply| match traffic.held.is_empty() {
            true => traffic.held = reply.raw,
            false => {
                let first = std::mem::take(&mut traffic.held);
                traffic.deliver(from, &[reply.raw, first].concat());
            }
        }),
        case: "@a SUBSCRIBE ch\n@b PUBLISH ch x\n@b PUBLISH ch y\n!@a < 2",
    },
    Expectation {
        what: "sends messages as replies",
        fault: on_message(|traffic, from, mut reply| {
            reply.raw[0] = b'*';
            traffic.deliver(from, &reply.raw);
        }),
        case: "@a ~keys HELLO 3\n@a SUBSCRIBE ch\n@b PUBLISH ch x\n!@a <",
    },
    Expectation {
        what: "answers before it delivers",
        fault: Fault {
            message: |traffic, _, message| traffic.held = message.raw,
            reply: |traffic, from, reply| {
                let held = if reply.kind == b'+' { std::mem::take(&mut traffic.held) } else { Vec::new() };
                traffic.deliver(from, &[reply.raw, held].concat());
            },
            ..Fault::NONE
        },
        case: "@a ~keys HELLO 3\n@a SUBSCRIBE ch\n@b PUBLISH ch x\n@a & PING\n!@a < 2",
    },
    Expectation {
        what: "confirms one channel of two",
        fault: on_reply(|traffic, from, reply| {
            if reply.items.get(1).is_none_or(|name| name.text != b"other") {
                traffic.deliver(from, &reply.raw);
            }
        }),
        case: "!@a =2 SUBSCRIBE ch other",
    },
    Expectation {
        what: "delivers another message, in no order",
        fault: on_message(|traffic, from, mut reply| {
            let last = reply.raw.len() - 3;
            reply.raw[last] = b'x';
            traffic.deliver(from, &reply.raw);
        }),
        case: "@a SUBSCRIBE ch\n@b PUBLISH ch x\n@b PUBLISH ch y\n!@a ~sorted < 2",
    },
    Expectation {
        what: "does not tell who is blocked",
        fault: on_reply(|traffic, from, reply| {
            let text = String::from_utf8_lossy(&reply.raw).replace(" flags=b ", " flags=N ");
            traffic.deliver(from, text.as_bytes());
        }),
        case: "!@a &blocked BLPOP q 0",
    },
    Expectation {
        what: "does not block",
        fault: on_request(|args| args.retain(|arg| arg != b"BLOCK" && arg != b"0")),
        case: "@a & XREAD BLOCK 0 STREAMS s $\n!@a %blocked",
    },
    Expectation {
        what: "serves the client that came last",
        fault: on_reply(|traffic, from, reply| {
            let served = reply.items.first().is_some_and(|key| key.text == b"q");
            let to = if served { traffic.next(from) } else { from };
            traffic.deliver(to, &reply.raw);
        }),
        case: "@c %open\n@a &blocked BLPOP q 0\n@b &blocked BLPOP q 0\n@c RPUSH q x\n!@a <",
    },
    Expectation {
        what: "does not wait long enough",
        fault: on_request(|args| {
            args.iter_mut().filter(|arg| *arg == b"300").for_each(|arg| *arg = b"30".into())
        }),
        case: "!~took=250..5000 XREAD BLOCK 300 STREAMS s $",
    },
    Expectation {
        what: "waits too long",
        fault: on_request(|args| {
            args.iter_mut().filter(|arg| *arg == b"30").for_each(|arg| *arg = b"400".into())
        }),
        case: "& XREAD BLOCK 30 STREAMS s $\n!~took=20..300 <",
    },
    Expectation {
        what: "does not notice that a client is gone",
        fault: Fault { passes_ends: false, ..Fault::NONE },
        case: "@a &blocked BLPOP q 0\n!@a %gone",
    },
    Expectation {
        what: "does not close a connection",
        fault: Fault { passes_ends: false, ..Fault::NONE },
        case: "QUIT\n!< closed",
    },
    Expectation {
        what: "shares nothing with its second process",
        fault: Fault::NONE,
        case: "%spread\n@a SUBSCRIBE ch\n@b ~any PUBLISH ch x\n!@a <",
    },
];

const fn on_request(request: fn(&mut Vec<Vec<u8>>)) -> Fault {
    Fault { request, ..Fault::NONE }
}

const fn on_message(message: fn(&mut Traffic, usize, Reply)) -> Fault {
    Fault { message, ..Fault::NONE }
}

const fn on_reply(reply: fn(&mut Traffic, usize, Reply)) -> Fault {
    Fault { reply, ..Fault::NONE }
}

/// One line for each.
pub fn self_test(launcher: &Launcher) -> Result<Vec<Result<String, String>>, String> {
    let redis = launcher.start_reference(Kind::Redis, &[])?;
    let broken = launcher.start_reference(Kind::Redis, &[])?;
    let lines = EXPECTATIONS.iter().map(|expectation| expectation.check(launcher, &redis, &broken));
    Ok(lines.collect())
}

impl Expectation {
    fn check(&self, launcher: &Launcher, redis: &Server, broken: &Server) -> Result<String, String> {
        let what = self.what;
        let head = "%only plain: as written\n%not resp3: the case says so itself\n%patience 0.5";
        let case = format!("{head}\n{}", self.case.replace('!', ""));
        let marked =
            4 + self.case.lines().position(|line| line.starts_with('!')).ok_or("no line is marked")?;
        let failing = |fault, twin| -> Result<Vec<usize>, String> {
            let proxy = proxy::start(fault, broken.address).map_err(|error| format!("proxy: {error}"))?;
            // The server may not know yet that the subscribers before these are gone.
            let case = case.replace(" ch", &format!(" ch:{}", proxy.port()));
            let case = parse("broken/server", "case", &case)?;
            let mut subject = Server::running(Kind::Subject, proxy)?;
            subject.twin = Some(Box::new(Server::running(Kind::Subject, twin)?));
            let servers = vec![Server::running(Kind::Redis, redis.address)?, subject];
            let (known, catalogues, coverage) = (Known::default(), Vec::new(), RefCell::default());
            let outcome =
                Suite { launcher, servers, known, catalogues, coverage }.run(std::slice::from_ref(&case));
            Ok(outcome.failing_lines())
        };
        let (good, bad) = (failing(Fault::NONE, broken.address)?, failing(self.fault, redis.address)?);
        if !good.is_empty() {
            return Err(format!(
                "expectations: a server that is not broken fails in lines {good:?}:\n{}",
                self.case
            ));
        }
        // What comes after the marked line may fail because of it.
        match bad.first() == Some(&marked) {
            true => Ok(format!("a server that {what}: noticed")),
            false => {
                Err(format!("a server that {what}: the lines {bad:?} failed, not {marked} of\n{}", self.case))
            }
        }
    }
}
