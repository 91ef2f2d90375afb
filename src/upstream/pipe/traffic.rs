//! Hot path: what goes over the pipe's connection while there is one.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::{Context, Job, Pipe, select};
use crate::resp::Protocol;
use crate::upstream::connection::{Connection, write_call};
use crate::upstream::error::UpstreamError;
use crate::upstream::reply::ReplyDecoder;
use crate::upstream::socket::Socket;

const READ: usize = 64 * 1024;
/// Buffers that have grown beyond this are given back.
const KEPT: usize = 256 * 1024;

impl Pipe {
    /// Until the connection breaks; what is under way then is lost.
    pub(super) async fn serve(&self, connection: Connection) -> UpstreamError {
        let has_protocols = self.greeting().is_some_and(|greeting| greeting.has_protocols);
        let (socket, decoder, input) = connection.into_parts();
        let (reader, writer) = tokio::io::split(socket);
        let in_flight = Mutex::new(VecDeque::new());
        let error = tokio::select! {
            error = self.read(reader, decoder, input, &in_flight) => error,
            error = self.write(writer, has_protocols, &in_flight) => error,
        };
        let lost = match &error {
            UpstreamError::Lost(_) => error.clone(),
            other => UpstreamError::Lost(other.to_string()),
        };
        for job in in_flight.into_inner().expect("no panic while held") {
            job.fail(&lost);
        }
        error
    }

    async fn write(
        &self,
        mut socket: WriteHalf<Box<dyn Socket>>,
        has_protocols: bool,
        in_flight: &Mutex<VecDeque<Job>>,
    ) -> UpstreamError {
        let mut now: Context = (self.url.db, Protocol::Resp2);
        let mut output = BytesMut::new();
        loop {
            let segments = loop {
                let waiting = std::mem::take(&mut self.state().waiting);
                if !waiting.is_empty() {
                    break waiting;
                }
                self.arrived.notified().await;
                // What arrives in this turn of the runtime joins.
                tokio::task::yield_now().await;
            };
            for segment in segments {
                let (db, protocol) = segment.context;
                let mut in_flight = in_flight.lock().expect("no panic while held");
                if protocol != now.1 && has_protocols {
                    let version: &'static [u8] = if protocol == Protocol::Resp3 { b"3" } else { b"2" };
                    write_call(&[b"HELLO".as_slice(), version].map(Bytes::from_static), &mut output);
                    in_flight.push_back(Job::switch());
                }
                if db != now.0 {
                    write_call(&select(db), &mut output);
                    in_flight.push_back(Job::switch());
                }
                now = segment.context;
                in_flight.extend(segment.jobs);
                drop(in_flight);
                match output.is_empty() {
                    true => output = segment.wire,
                    false => output.extend_from_slice(&segment.wire),
                }
            }
            if let Err(error) = socket.write_all(&output).await {
                return error.into();
            }
            match output.capacity() > KEPT {
                true => output = BytesMut::new(),
                false => output.clear(),
            }
        }
    }

    async fn read(
        &self,
        mut socket: ReadHalf<Box<dyn Socket>>,
        mut decoder: ReplyDecoder,
        mut input: BytesMut,
        in_flight: &Mutex<VecDeque<Job>>,
    ) -> UpstreamError {
        let mut current: Option<Job> = None;
        let error = loop {
            match decoder.next(&mut input) {
                Err(error) => break error.into(),
                Ok(Some(raw)) if raw.is_push() => {}
                Ok(Some(raw)) => {
                    let job =
                        current.take().or_else(|| in_flight.lock().expect("no panic while held").pop_front());
                    let Some(mut job) = job else {
                        break UpstreamError::Lost("a reply that nobody asked for".into());
                    };
                    job.replies.push(raw);
                    if job.replies.len() < job.expected {
                        current = Some(job);
                    } else if let Err(error) = self.finish(job) {
                        break error;
                    }
                }
                Ok(None) => {
                    input.reserve(READ);
                    match socket.read_buf(&mut input).await {
                        Ok(0) => break UpstreamError::Lost("closed by the upstream".to_owned()),
                        Ok(_) => {}
                        Err(error) => break error.into(),
                    }
                }
            }
        };
        // Its replies so far are worth nothing: the client gets all or none.
        in_flight.lock().expect("no panic while held").extend(current);
        error
    }

    fn finish(&self, job: Job) -> Result<(), UpstreamError> {
        let Job { replies, done, followed, .. } = job;
        let Some(done) = done else {
            let failed = replies.iter().find(|reply| reply.is_error());
            return failed.map_or(Ok(()), |reply| Err(UpstreamError::Lost(reply.text())));
        };
        if let Some(followed) = followed {
            followed.answered(&replies);
        }
        let _ = done.send(Ok(replies));
        Ok(())
    }
}
