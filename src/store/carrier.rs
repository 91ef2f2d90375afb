//! Connections that are carried by the task that uses them. Hot path.
//!
//! A connection is two halves: statements are handed to one, the other, the driver, writes and reads the socket. A driver with a task of its own stands in line behind
//! whatever the runtime has to do: after a batch those are its clients' replies, a write to a socket each, and Postgres waits for the next batch all the while.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio_postgres::tls::{MakeTlsConnect, NoTlsStream};
use tokio_postgres::{AsyncMessage, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::local::LocalSocket;

/// The drivers of one task's connections.
#[derive(Clone, Default)]
pub struct Carrier(Arc<Mutex<Vec<Driver>>>);

impl Carrier {
    pub(super) fn take_over(&self, driver: Driver) {
        self.0.lock().expect("no panic while held").push(driver);
    }

    /// Runs a task whose connections are opened with this carrier.
    pub async fn carry<F: Future>(&self, task: F) -> F::Output {
        let mut task = pin!(task);
        poll_fn(|context| {
            // First what has been answered, last what has been handed in.
            self.drive(context);
            let outcome = task.as_mut().poll(context);
            self.drive(context);
            outcome
        })
        .await
    }

    fn drive(&self, context: &mut Context<'_>) {
        let mut drivers = self.0.lock().expect("no panic while held");
        // A driver that panics is a lost connection, as it would be if it had a task of its own: this one goes on and opens another.
        let mut lives = |driver: &mut Driver| Pin::new(driver).poll(context).is_pending();
        drivers.retain_mut(|driver| catch_unwind(AssertUnwindSafe(|| lives(driver))).unwrap_or(false));
    }
}

/// What has to be polled for a connection to live, until it ends.
pub enum Driver {
    Local(Box<Connection<LocalSocket, NoTlsStream>>),
    Other(Box<Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>>),
    #[cfg(test)]
    Test(Box<dyn FnMut() -> Poll<()> + Send>),
}

impl Driver {
    pub fn poll_message(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> {
        match self {
            Driver::Local(connection) => connection.poll_message(context),
            Driver::Other(connection) => connection.poll_message(context),
            #[cfg(test)]
            Driver::Test(_) => Poll::Pending,
        }
    }
}

impl Future for Driver {
    type Output = Result<(), tokio_postgres::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Driver::Local(connection) => Pin::new(connection).poll(context),
            Driver::Other(connection) => Pin::new(connection).poll(context),
            #[cfg(test)]
            Driver::Test(poll) => poll().map(Ok),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_driver_that_panics_costs_its_connection_only() {
        let carrier = Carrier::default();
        carrier.take_over(Driver::Test(Box::new(|| panic!("a bug in a driver"))));
        carrier.take_over(Driver::Test(Box::new(|| Poll::Pending)));
        carrier.take_over(Driver::Test(Box::new(|| Poll::Ready(()))));
        carrier.carry(tokio::task::yield_now()).await;
        assert_eq!(carrier.0.lock().unwrap().len(), 1);
    }
}
