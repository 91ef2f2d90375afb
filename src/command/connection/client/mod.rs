//! CLIENT: what a client says about itself, and what it may see of others and do to them.

use crate::command::help::help;
use crate::command::prelude::*;

mod kill;
mod list;
mod name;
mod pause;
mod switches;
mod tracking;
mod unblock;

pub(super) static CLIENT: Command = Command {
    name: "CLIENT",
    arity: AtLeast(2),
    subcommands: &[
        &tracking::CACHING,
        &tracking::GETREDIR,
        &name::GETNAME,
        &HELP,
        &list::ID,
        &list::INFO,
        &kill::KILL,
        &list::LIST,
        &switches::NO_EVICT,
        &switches::NO_TOUCH,
        &pause::PAUSE,
        &switches::REPLY,
        &name::SETINFO,
        &name::SETNAME,
        &tracking::TRACKING,
        &tracking::TRACKINGINFO,
        &unblock::UNBLOCK,
        &pause::UNPAUSE,
    ],
    passing: Passing::OWN,
    ..Command::in_group(Group::Connection, file!())
};

pub use name::valid_name;
pub use tracking::tracks;

/// What most sub-commands have in common.
const FAMILY: Command = Command {
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    passing: Passing::OWN,
    ..Command::in_group(Group::Connection, file!())
};
const ADMIN: Flags = FAMILY.flags.and(Flags::ADMIN);

static HELP: Command = Command {
    name: "CLIENT|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(help("CLIENT", HELP_LINES))),
    ..FAMILY
};

const HELP_LINES: &[&str] = &[
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
];
