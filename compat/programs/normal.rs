//! Replies without what differs between two servers that are both right: times that pass, and how entries are stored.

use crate::runner::resp::Reply;

/// Fields of XINFO that say when, or how a stream is stored.
const FIELDS: [&[u8]; 6] =
    [b"idle", b"inactive", b"seen-time", b"active-time", b"radix-tree-keys", b"radix-tree-nodes"];

/// Replies to this command that come out the same are the same. Only those of commands with such replies are touched.
pub fn normal(args: &[Vec<u8>], reply: &Reply) -> Vec<u8> {
    let name = args[0].to_ascii_uppercase();
    let mut out = Vec::new();
    match &name[..] {
        // The idle time of each: id, consumer, idle time, deliveries.
        b"XPENDING" if args.len() > 3 => {
            for entry in &reply.items {
                let parts = entry.items.iter().enumerate();
                parts.filter(|(at, _)| *at != 2).for_each(|(_, part)| out.extend_from_slice(&part.raw));
            }
            out.extend_from_slice(if reply.items.is_empty() { &reply.raw } else { b"entries" });
        }
        b"XINFO" => information(reply, &mut out),
        _ => return reply.raw.clone(),
    }
    out
}

fn information(reply: &Reply, out: &mut Vec<u8>) {
    if reply.items.is_empty() {
        return match is_moment(reply) {
            true => out.extend_from_slice(b"moment\r\n"),
            false => out.extend_from_slice(&reply.raw),
        };
    }
    out.extend_from_slice(format!("{}{}\r\n", reply.kind as char, reply.items.len()).as_bytes());
    let mut ignored = false;
    for item in &reply.items {
        match ignored && item.kind == b':' {
            // Below zero it says that there was none.
            true => out.extend_from_slice(if item.text.starts_with(b"-") { b"never" } else { b"then\r\n" }),
            false => information(item, out),
        }
        ignored = FIELDS.contains(&&item.text[..]);
    }
}

/// A time of these days in milliseconds, as pending entries have.
fn is_moment(reply: &Reply) -> bool {
    reply.kind == b':' && reply.text.len() == 13
}
