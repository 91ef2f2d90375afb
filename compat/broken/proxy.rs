//! The proxy: requests and replies pass whole, one after the other, and can be changed, held back, or sent astray.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::runner::resp::{Reply, encode, parse};

/// What happens to requests, to messages for subscribers, and to other replies; the number is the connection's.
#[derive(Clone, Copy)]
pub struct Fault {
    pub request: fn(&mut Vec<Vec<u8>>),
    pub message: fn(&mut Traffic, usize, Reply),
    pub reply: fn(&mut Traffic, usize, Reply),
    /// The end of one side's connection is the end of the other's.
    pub passes_ends: bool,
}

impl Fault {
    pub const NONE: Fault = Fault {
        request: |_| {},
        message: |traffic, from, message| traffic.deliver(from, &message.raw),
        reply: |traffic, from, reply| traffic.deliver(from, &reply.raw),
        passes_ends: true,
    };
}

/// What the connections of one broken server share.
#[derive(Default)]
pub struct Traffic {
    clients: Vec<TcpStream>,
    /// Bytes that a fault keeps for later.
    pub held: Vec<u8>,
}

impl Traffic {
    pub fn deliver(&mut self, to: usize, bytes: &[u8]) {
        if let Some(client) = self.clients.get_mut(to) {
            // A client that is gone reads nothing.
            let _ = client.write_all(bytes);
        }
    }

    /// The connection that was opened after this one, if there is one.
    pub fn next(&self, connection: usize) -> usize {
        (connection + 1).min(self.clients.len() - 1)
    }
}

type Shared = Arc<Mutex<Traffic>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Traffic> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens on a free port for as long as the process lives.
pub fn start(fault: Fault, server: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let shared = Shared::default();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let shared = shared.clone();
            // A connection that fails is closed, and the client's next read says so.
            let _ = serve(client, server, fault, shared);
        }
    });
    Ok(address)
}

fn serve(client: TcpStream, server: SocketAddr, fault: Fault, shared: Shared) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let number = {
        let mut traffic = lock(&shared);
        traffic.clients.push(client.try_clone()?);
        traffic.clients.len() - 1
    };
    let (replies, back) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let pass = |reply: Reply| {
            let name = reply.items.first().map_or(&b""[..], |name| &name.text);
            let is_message = [&b"message"[..], b"pmessage", b"smessage"].contains(&name);
            let treat = if is_message { fault.message } else { fault.reply };
            treat(&mut lock(&shared), number, reply);
            Ok(())
        };
        let _ = each(replies, pass);
        if fault.passes_ends {
            let _ = back.shutdown(Shutdown::Both);
        }
    });
    thread::spawn(move || {
        let mut upstream = &server;
        let pass = |request: Reply| {
            let mut args = request.items.into_iter().map(|item| item.text).collect();
            (fault.request)(&mut args);
            upstream.write_all(&encode(&args))
        };
        let _ = each(client, pass);
        match fault.passes_ends {
            true => drop(server.shutdown(Shutdown::Both)),
            // The server must not notice.
            false => std::mem::forget(server),
        }
    });
    Ok(())
}

/// Takes a stream of RESP apart.
fn each(mut stream: TcpStream, mut pass: impl FnMut(Reply) -> std::io::Result<()>) -> std::io::Result<()> {
    let (mut buffer, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&chunk[..count]);
        while let Ok(Some((value, used))) = parse(&buffer) {
            buffer.drain(..used);
            pass(value)?;
        }
    }
}
