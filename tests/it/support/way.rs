//! A way to a server on which something is held up.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    There,
    Back,
}

/// Passes on what is sent and what comes back, of each piece when `hold` returns.
pub fn way(to: SocketAddr, hold: impl Fn(Leg, &[u8]) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.expect("it comes"), TcpStream::connect(to).expect("it listens"));
            let clone = |stream: &TcpStream| stream.try_clone().expect("one more");
            let legs = [(Leg::There, clone(&client), clone(&server)), (Leg::Back, server, client)];
            for (leg, mut from, mut to) in legs {
                let hold = hold.clone();
                thread::spawn(move || {
                    let mut piece = [0; 65536];
                    while let Ok(bytes @ 1..) = from.read(&mut piece) {
                        hold(leg, &piece[..bytes]);
                        if to.write_all(&piece[..bytes]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    address
}
