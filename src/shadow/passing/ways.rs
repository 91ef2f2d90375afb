//! Which way a request takes. Decided by declarations only: respg's own, or for commands that it does not know the upstream's.

use crate::command::{self, Flags, Incoming, Passing, Plan, PlanContext, Request};
use crate::session::Session;
use crate::upstream::Greeting;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// With those of all clients.
    Pipe,
    /// The same, and the database changes.
    Select,
    /// To respg's own execution.
    Own,
    /// What was queued since MULTI, as one block.
    Exec,
    /// AUTH and HELLO: whoever knows the password.
    Introduction,
    /// To a connection of the client's own.
    Aside,
    /// The same, with what was queued since MULTI before it.
    WithQueue,
}

impl Way {
    /// Whether it takes the client's EXEC to a place where nobody knows what the client has watched here, before the mode changed.
    pub fn leaves_watched(self, incoming: &Incoming) -> bool {
        let passing = incoming.command().map(|command| command.passing);
        let begins = matches!(passing, Some(Passing::Watches | Passing::Queues));
        self == Way::WithQueue || (self == Way::Aside && begins)
    }
}

/// The way of a request of a client that has no business on a connection of its own at the moment.
pub fn way(
    session: &Session,
    incoming: &Incoming,
    greeting: Option<&Greeting>,
    context: &PlanContext,
) -> Way {
    let in_multi = session.multi.is_some();
    let request = match incoming {
        Incoming::Known(request) => request,
        Incoming::Refused { .. } if !session.authenticated => return Way::Own,
        Incoming::Refused { .. } if !in_multi && incoming.is_ours() => return Way::Own,
        // Whether it may be queued only the upstream knows.
        Incoming::Refused { .. } if in_multi => return Way::WithQueue,
        Incoming::Refused { argv, .. } => {
            let foreign = greeting.and_then(|greeting| greeting.command(&argv[0]));
            let is_own = incoming.command().is_some_and(|command| !matches!(command.passing, Passing::Free));
            // What nobody knows anything about may block.
            let is_unknown = incoming.command().is_none() && greeting.is_none_or(Greeting::is_silent);
            let is_alone = is_own || is_unknown || foreign.is_some_and(|foreign| foreign.blocks);
            return if is_alone { Way::Aside } else { Way::Pipe };
        }
    };
    let flags = request.command.flags;
    match request.command.passing {
        Passing::Authenticates if in_multi => Way::WithQueue,
        Passing::Authenticates => Way::Introduction,
        _ if !session.authenticated => Way::Own,
        Passing::Own(is_own) if is_own(&request.argv) => match in_multi && !flags.has(Flags::NOT_QUEUED) {
            true => Way::WithQueue,
            false => Way::Own,
        },
        Passing::Unwatches if flags.has(Flags::EXECUTES_QUEUE) && in_multi => Way::Exec,
        Passing::Unwatches | Passing::Queues | Passing::Ends => Way::Own,
        Passing::Watches if in_multi => Way::Own,
        Passing::Watches => Way::Aside,
        Passing::TakesOver | Passing::Waits if in_multi => Way::WithQueue,
        Passing::TakesOver | Passing::Waits => Way::Aside,
        Passing::Free | Passing::Own(_) if in_multi => Way::Own,
        Passing::Free | Passing::Own(_) if flags.has(Flags::BLOCKING) && may_block(request, context) => {
            Way::Aside
        }
        Passing::Free | Passing::Own(_) if flags.has(Flags::SELECTS_DATABASE) => Way::Select,
        Passing::Free | Passing::Own(_) => Way::Pipe,
    }
}

/// Whether a call of a blocking command waits. What respg does not understand may.
fn may_block(request: &Request, context: &PlanContext) -> bool {
    match request.plan(context) {
        Ok(Plan::Block(_)) | Err(_) => true,
        Ok(_) => false,
    }
}

/// Whether a call may change data, or have other effects that somebody who follows needs to know.
pub fn writes(incoming: &Incoming, greeting: Option<&Greeting>) -> bool {
    match incoming {
        Incoming::Known(request) => request_writes(request),
        Incoming::Refused { argv, .. } => match (command::lookup(&argv[0]), greeting) {
            (Some(command), _) => command.flags.has(Flags::WRITE) || command.flags.has(Flags::MAY_REPLICATE),
            // Also one that the upstream keeps to itself, or has learnt since.
            (None, greeting) => {
                let foreign = greeting.and_then(|greeting| greeting.command(&argv[0]));
                foreign.is_none_or(|foreign| !foreign.only_reads())
            }
        },
    }
}

/// The same of one that respg knows.
pub fn request_writes(request: &Request) -> bool {
    let flags = request.command.flags;
    flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE) || flags.has(Flags::BARRIER)
}
