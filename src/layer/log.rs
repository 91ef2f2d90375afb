//! Notes slow calls in the slow log and in the latency events. Hot path.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::observe::Call;
use crate::command::{Flags, Request};
use crate::state::{Process, SlowCall};

/// As in Redis: what is longer is cut.
const MOST_ARGUMENTS: usize = 32;
const LONGEST_ARGUMENT: usize = 128;

pub fn note(process: &Process, call: &Call<'_>) {
    let Some(request) = call.run() else { return };
    let flags = request.command.flags;
    // EXEC takes the time of what it runs.
    if flags.has(Flags::SKIP_SLOWLOG) || flags.has(Flags::BLOCKING) {
        return;
    }
    let settings = &process.settings;
    if settings.slowlog_slower_than().is_some_and(|limit| call.time >= limit) {
        process.slowlog.add(
            settings.slowlog_max_len(),
            SlowCall {
                at: SystemTime::now(),
                took: call.time,
                argv: shown(request),
                addr: call.session.client.addr.clone(),
                name: call.session.client.info().name,
            },
        );
    }
    let threshold = settings.latency_threshold();
    if threshold > Duration::ZERO && call.time >= threshold {
        let event = if flags.has(Flags::FAST) { "fast-command" } else { "command" };
        process.latency.add(event, SystemTime::now(), call.time);
    }
}

/// The call as it is kept: long ones cut, secrets hidden.
fn shown(request: &Request) -> Vec<Bytes> {
    let argv = &request.argv;
    let kept = if argv.len() > MOST_ARGUMENTS { MOST_ARGUMENTS - 1 } else { argv.len() };
    let mut shown: Vec<Bytes> = argv[..kept]
        .iter()
        .enumerate()
        .map(|(i, arg)| match arg.len() {
            _ if (request.command.secret)(argv, i) => Bytes::from_static(b"(redacted)"),
            length if length > LONGEST_ARGUMENT => {
                let more = format!("... ({} more bytes)", length - LONGEST_ARGUMENT);
                [&arg[..LONGEST_ARGUMENT], more.as_bytes()].concat().into()
            }
            _ => Bytes::copy_from_slice(arg),
        })
        .collect();
    if kept < argv.len() {
        shown.push(format!("... ({} more arguments)", argv.len() - kept).into());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Incoming;

    fn shown_words(words: Vec<String>) -> Vec<String> {
        let incoming = Incoming::new(words.into_iter().map(Bytes::from).collect());
        let shown = shown(incoming.resolved().unwrap());
        shown.into_iter().map(|word| String::from_utf8(word.to_vec()).unwrap()).collect()
    }

    #[test]
    fn trims_and_hides() {
        let many = [vec!["DEL".to_owned()], vec!["k".to_owned(); 40]].concat();
        let shown = shown_words(many);
        assert_eq!((shown.len(), shown[31].as_str()), (32, "... (10 more arguments)"));
        let shown = shown_words(vec!["GET".to_owned(), "x".repeat(130)]);
        assert_eq!(shown[1], format!("{}... (2 more bytes)", "x".repeat(128)));
        assert_eq!(shown_words(vec!["AUTH".into(), "secret".into()]), ["AUTH", "(redacted)"]);
    }
}
