//! What HELP sub-commands answer.

use crate::resp::Reply;

/// Redis's frame around the lines of a container's help.
pub fn help(container: &str, lines: &[&'static str]) -> Reply {
    let title = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let mut replies = vec![Reply::Status(title.into())];
    replies.extend(lines.iter().copied().chain(["HELP", "    Prints this help."]).map(Reply::status));
    Reply::Array(replies)
}
