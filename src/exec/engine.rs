//! The innermost executor: admission, planning, and the choice of lane, pool or pinned transaction. Hot path.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::context::Context;
use super::lane::LaneQueue;
use super::pinned::{self, Step};
use super::retry::{self, Source};
use super::work::{Answer, Item, Reason, Route, Transaction, TransactionStep, Watched};
use super::working_set::LANE_INLINE;
use super::{Executor, boxed};
use crate::command::{Access, Attempt, CommandError, Flags, Incoming, Plan, PlanContext, Request};
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::session::admission::{Admission, admit};
use crate::session::{Multi, Session, Wake};
use crate::state::Process;
use crate::store::{Call, Commit, Pooled, Row, Store, StoreError};

/// A run with more bytes of arguments or results than this, or with more keys, does not go through a lane: it would hold up the others.
const LANE_BYTES: usize = 256 * 1024;
const LANE_KEYS: usize = 2048;

/// Executes requests against the store.
pub struct Engine {
    process: Arc<Process>,
    lanes: Arc<LaneQueue>,
}

/// The commands that wait to be executed together, and where their replies go.
#[derive(Default)]
struct Run {
    items: Vec<Item>,
    places: Vec<Option<usize>>,
    /// Bytes of arguments.
    bytes: usize,
}

impl Executor for Engine {
    fn execute<'a>(
        &'a self,
        session: &'a mut Session,
        requests: &'a [Incoming],
        replies: &'a mut Vec<Reply>,
    ) -> BoxFuture<'a, ()> {
        boxed(async move {
            let mut run = Run::default();
            for incoming in requests {
                if session.close || session.blocked.is_some() {
                    break;
                }
                self.one(session, incoming, &mut run, replies).await;
            }
            self.flush(&mut run, replies).await;
        })
    }

    fn resume<'a>(&'a self, session: &'a mut Session, wake: Wake) -> BoxFuture<'a, Option<Reply>> {
        Box::pin(self.go_on(session, wake))
    }
}

impl Engine {
    pub fn new(process: Arc<Process>, lanes: Arc<LaneQueue>) -> Engine {
        Engine { process, lanes }
    }

    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    async fn one(&self, session: &mut Session, incoming: &Incoming, run: &mut Run, replies: &mut Vec<Reply>) {
        let reply = match self.admitted(session, incoming) {
            Err(error) => refused(session, incoming, error).into(),
            Ok(None) => Reply::status("QUEUED"),
            Ok(Some(request)) => match plan(request, &self.plan_context(session, session.db)) {
                Err(error) => error.into(),
                Ok(Plan::Keys(op)) => {
                    run.places.push(session.takes_reply().then_some(replies.len()));
                    run.bytes += request.argv.iter().map(|arg| arg.len()).sum::<usize>() + op.grows_by;
                    run.items.push(Item::Op(op));
                    return replies.push(Reply::Nothing);
                }
                Ok(Plan::Block(block)) => {
                    self.flush(run, replies).await;
                    match Box::pin(self.block(session, request, block)).await {
                        Some(reply) => reply,
                        None => return,
                    }
                }
                Ok(plan) => {
                    self.flush(run, replies).await;
                    let reply = self.perform(session, plan).await;
                    if request.command.flags.has(Flags::BARRIER) {
                        self.databases_changed();
                    }
                    reply
                }
            },
        };
        replies.push(if session.takes_reply() { reply } else { reply.pushes() });
    }

    /// Databases were emptied or exchanged.
    fn databases_changed(&self) {
        self.process.keyspace.forget();
        self.process.waiters.all_written();
    }

    /// The request if it is to be run now, `None` if it was queued.
    fn admitted<'r>(
        &self,
        session: &mut Session,
        incoming: &'r Incoming,
    ) -> Result<Option<&'r Request>, CommandError> {
        let request = incoming.resolved()?;
        match admit(session, request.command)? {
            Admission::Run => Ok(Some(request)),
            Admission::Queue => {
                let multi = session.multi.as_mut().expect("queued only inside MULTI");
                multi.push(request.detached());
                let queued = multi.queued.len() as i64;
                session.client.update(|info| info.multi = queued);
                Ok(None)
            }
        }
    }

    fn plan_context(&self, session: &Session, db: DbIndex) -> PlanContext {
        let settings = &self.process.settings;
        PlanContext {
            db,
            databases: settings.config.databases,
            max_string: settings.max_string(),
            subscriber: !session.client.subscriptions.is_empty(),
        }
    }

    /// A plan that is not over keys and does not wait, outside EXEC.
    pub(super) async fn perform(&self, session: &mut Session, plan: Plan) -> Reply {
        let mut context = Context { session, engine: self, pinned: None };
        let outcome = match plan {
            Plan::Keys(_) | Plan::Block(_) => unreachable!("executed otherwise"),
            Plan::Ready(reply) => Ok(reply),
            Plan::Select(db) => {
                context.session.select(db);
                Ok(Reply::Ok)
            }
            Plan::Call(call) => context.call(&call).await,
            Plan::Session(run) => run(&mut context),
            Plan::Steps(steps) => steps.run(&mut context).await,
        };
        outcome.unwrap_or_else(Reply::from)
    }

    /// Executes what the run has gathered and puts the replies in their places.
    async fn flush(&self, run: &mut Run, replies: &mut [Reply]) {
        let Run { items, places, bytes } = std::mem::take(run);
        if items.is_empty() {
            return;
        }
        match self.run_items(items, bytes).await {
            Ok(done) => {
                for (place, reply) in places.into_iter().zip(done) {
                    if let Some(place) = place {
                        replies[place] = reply;
                    }
                }
            }
            Err(error) => {
                let error = CommandError::from(error);
                for place in places.into_iter().flatten() {
                    replies[place] = error.clone().into();
                }
            }
        }
    }

    /// Executes items together, in a lane if they are small.
    pub(super) async fn run_items(&self, items: Vec<Item>, bytes: usize) -> Result<Vec<Reply>, StoreError> {
        let route = Route::of(&items, &self.process.store.databases.current());
        if bytes > LANE_BYTES || items.iter().map(|item| item.uses().count()).sum::<usize>() > LANE_KEYS {
            return Box::pin(self.alone(route, items, Reason::Large)).await;
        }
        match self.lanes.submit(route, items).await {
            Ok(Answer::Done(replies)) => Ok(replies),
            Ok(Answer::Alone(items, reason)) => Box::pin(self.alone(route, items, reason)).await,
            Ok(Answer::Failed(error)) => Err(error),
            // The lane has panicked, at which point nobody knows.
            Err(_) if route.access == Access::Read => {
                Err(StoreError::Unavailable("a bug in respg, see its log".into()))
            }
            Err(_) => Err(StoreError::Unknown),
        }
    }

    /// Executes items on a pooled connection: large ones, and those that a lock holds up.
    async fn alone(&self, route: Route, items: Vec<Item>, reason: Reason) -> Result<Vec<Reply>, StoreError> {
        let mut source = PoolSource(self.process.store.clone());
        if reason == Reason::Locked {
            // Small as far as is known, so it has no more time than others.
            let mut replies = retry::run(&mut source, &self.process, route, LANE_INLINE, &[&items]).await?;
            if let Some(replies) = replies.pop().flatten() {
                return Ok(replies);
            }
        }
        let mut replies = retry::run(&mut source, &self.process, route, i32::MAX, &[&items]).await?;
        Ok(replies.pop().flatten().expect("no value is longer than i32::MAX"))
    }

    /// Runs a call on a pooled connection.
    pub async fn rows(&self, call: &Call) -> Result<Vec<Row>, StoreError> {
        let store = &self.process.store;
        let connection = store.acquire().await?;
        store.in_time(&connection, connection.prepare(call.statement)).await?;
        match call.writes {
            true => store.change_in_time(&connection, call.run(&connection)).await,
            false => store.in_time(&connection, call.run(&connection)).await,
        }
    }

    /// EXEC: the session's queue, all or nothing.
    pub(super) async fn exec(&self, session: &mut Session) -> Reply {
        let Some(multi) = session.multi.take() else {
            return CommandError::EXEC_WITHOUT_MULTI.into();
        };
        let watched = std::mem::take(&mut session.watched);
        let publishes = multi.queued.iter().any(|request| request.command.flags.has(Flags::PUBSUB));
        let reply = if multi.failed {
            CommandError::EXEC_ABORT.into()
        } else {
            self.exec_queue(session, multi, watched).await
        };
        // Not before: what is seen of the client during EXEC is a client in MULTI.
        session.discard();
        match publishes && !session.client.subscriptions.is_empty() {
            true => self.with_own_messages(session, reply).await,
            false => reply,
        }
    }

    /// One that hears itself gets what its EXEC has published right after the reply.
    async fn with_own_messages(&self, session: &Session, reply: Reply) -> Reply {
        if self.process.bus.settle().await.is_err() {
            return reply;
        }
        let heard = session.client.outbox.try_take().into_iter().flatten();
        Reply::Several(std::iter::once(reply).chain(heard).collect())
    }

    async fn exec_queue(&self, session: &mut Session, multi: Multi, watched: Vec<Watched>) -> Reply {
        let Multi { queued, bytes, .. } = multi;
        let barrier = queued.iter().any(|request| request.command.flags.has(Flags::BARRIER));
        let publishes = queued.iter().any(|request| request.command.flags.has(Flags::PUBSUB));
        let (steps, db) = self.plan_queue(session, &queued);
        let outcome = match over_keys(steps) {
            Ok(steps) => {
                let item = Item::Transaction(Transaction { watched, steps });
                let bytes = item.ops().fold(bytes, |bytes, op| bytes + op.grows_by);
                self.run_items(vec![item], bytes)
                    .await
                    .map(|mut replies| replies.pop().expect("one reply per item"))
            }
            Err(steps) => {
                pinned::exec(self, session, pinned::Queue { watched, steps, barrier, publishes }).await
            }
        };
        match outcome {
            Ok(Reply::NullArray) => Reply::NullArray,
            Ok(reply) => {
                if db != session.db {
                    session.select(db);
                }
                if barrier {
                    self.databases_changed();
                }
                session.executed.push(queued);
                reply
            }
            Err(error) => CommandError::from(error).into(),
        }
    }

    /// Plans the queued commands, SELECT among them changing the database of those after it.
    fn plan_queue(&self, session: &Session, queued: &[Request]) -> (Vec<Step>, DbIndex) {
        let unblocking = |plan| match plan {
            Plan::Block(block) => (block.attempt)(Attempt::First),
            plan => plan,
        };
        let mut context = self.plan_context(session, session.db);
        let planned = |request: &Request| match plan(request, &context).map(unblocking) {
            Err(error) => Step::Keys(TransactionStep::Ready(error.into())),
            Ok(Plan::Ready(reply)) => Step::Keys(TransactionStep::Ready(reply)),
            Ok(Plan::Keys(op)) => Step::Keys(TransactionStep::Op(op)),
            Ok(Plan::Select(selected)) => {
                context.db = selected;
                Step::Keys(TransactionStep::Ready(Reply::Ok))
            }
            Ok(plan) => {
                context.subscriber |= request.command.flags.has(Flags::SUBSCRIBES);
                Step::Other(context.db, plan)
            }
        };
        let steps = queued.iter().map(planned).collect();
        (steps, context.db)
    }
}

/// The request's plan. A client may be in a database that we do not have, if a server that has it has answered up to now.
fn plan(request: &Request, context: &PlanContext) -> Result<Plan, CommandError> {
    let Request { command, .. } = request;
    let is_beyond = context.db.0 >= context.databases;
    let uses = |flag| command.flags.has(flag);
    if is_beyond && (uses(Flags::READONLY) || uses(Flags::WRITE) || !command.keys.is_empty()) {
        return Err(CommandError::DB_OUT_OF_RANGE);
    }
    request.plan(context)
}

/// What a refusal means for MULTI: the transaction is bound to abort, or ends at once if EXEC itself is refused.
fn refused(session: &mut Session, incoming: &Incoming, error: CommandError) -> CommandError {
    if incoming.command().is_some_and(|command| command.flags.has(Flags::EXECUTES_QUEUE)) {
        session.discard();
        return error.exec_abort();
    }
    if let Some(multi) = &mut session.multi {
        multi.failed = true;
    }
    error
}

/// The steps as key operations, if they are nothing else.
fn over_keys(steps: Vec<Step>) -> Result<Vec<TransactionStep>, Vec<Step>> {
    if steps.iter().any(|step| matches!(step, Step::Other(..))) {
        return Err(steps);
    }
    let keys = |step| match step {
        Step::Keys(step) => Some(step),
        Step::Other(..) => None,
    };
    Ok(steps.into_iter().filter_map(keys).collect())
}

/// A new pooled connection for each attempt.
struct PoolSource(Arc<Store>);

impl Source for PoolSource {
    type Held<'s> = Pooled;

    async fn connection(&mut self, _: Commit, _: bool) -> Result<Pooled, StoreError> {
        self.0.acquire().await
    }
}
