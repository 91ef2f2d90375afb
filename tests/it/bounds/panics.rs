//! A bug in a command: its batch fails, nothing else does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use respg::command::{Access, KeyOp, KeyUse};
use respg::config::Config;
use respg::exec::{Answer, Item, LaneQueue, Route, keep_lane};
use respg::keyspace::DbIndex;
use respg::resp::Reply;
use respg::state::{Process, Settings};
use respg::store::bus::Bus;
use respg::store::{DatabaseOptions, Store, migrate};

use crate::support::pg::fresh_database;

fn op(access: Access, works: bool) -> Vec<Item> {
    let key = KeyUse::value(DbIndex(0), Bytes::from_static(b"k"));
    let apply = move |_: &mut respg::command::View<'_>| match works {
        true => Ok(Reply::ONE),
        false => panic!("on purpose"),
    };
    vec![Item::Op(KeyOp::new(access, [key], apply))]
}

#[tokio::test]
async fn a_panic_in_a_command_costs_its_batch_only() {
    let target = respg::store::Target::parse(&fresh_database().await).unwrap();
    migrate(&target, &DatabaseOptions { count: 1, ..DatabaseOptions::default() }).await.unwrap();
    let store = Arc::new(Store::new(target, 2, Duration::from_secs(5)));
    store.databases.reload(&store.acquire().await.unwrap()).await.unwrap();
    let connection = store.acquire().await.unwrap();
    let bus =
        Arc::new(Bus::new(Some(store.target.clone()), &connection, Duration::from_secs(5)).await.unwrap());
    let process = Arc::new(Process::new(Settings::new(Config::defaults()), store.clone(), bus));
    let queue = Arc::new(LaneQueue::default());
    let submit = |items: Vec<Item>| queue.submit(Route::of(&items, &store.databases.current()), items);
    for access in [Access::Read, Access::Update] {
        // Of one batch: submitted before any lane is there, or while it is busy with the first.
        let (neighbour, bug) = (submit(op(access, true)), submit(op(access, false)));
        let lane = tokio::spawn(keep_lane(process.clone(), queue.clone()));
        let answered = tokio::time::timeout(Duration::from_secs(20), async { (neighbour.await, bug.await) });
        let (neighbour, bug) = answered.await.expect("nobody hangs");
        assert!(neighbour.is_err() && bug.is_err(), "the batch has failed");
        let next = tokio::time::timeout(Duration::from_secs(20), submit(op(access, true))).await;
        let next = next.expect("the lane goes on").expect("answered");
        assert!(matches!(next, Answer::Done(replies) if replies == [Reply::ONE]));
        lane.abort();
    }
}
