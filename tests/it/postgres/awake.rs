//! `--cpu-dma-latency`: what respg asks of the kernel while clients are busy, and only then.

use std::fs::File;
use std::io::{self, Read};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::respg::{Respg, refusal};

const DEVICE: &str = "/dev/cpu_dma_latency";

/// Less than what the kernel goes by itself, and nothing that another program asks for.
const ASKED: i32 = 7;

const OPTIONS: [&str; 2] = ["--cpu-dma-latency", "7"];

const PATIENCE: Duration = Duration::from_secs(20);

/// How long waking a processor may take now, in microseconds: the least that any program asks for.
fn bound() -> io::Result<i32> {
    let mut bound = [0; 4];
    File::open(DEVICE)?.read_exact(&mut bound)?;
    Ok(i32::from_ne_bytes(bound))
}

/// Returns when the bound is this, after having done something each time that it was not.
fn wait_for(expected: i32, mut meanwhile: impl FnMut()) {
    let begun = Instant::now();
    loop {
        let now = bound().unwrap();
        if now == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{now} in place of {expected}");
        meanwhile();
        sleep(Duration::from_millis(5));
    }
}

fn busy(client: &mut Client) {
    client.try_calls(["PING"; 500]).unwrap();
}

#[test]
fn processors_stay_awake_while_clients_are_busy() {
    // Where nobody may ask for it respg says so.
    if let Err(error) = bound() {
        let said = refusal("postgres://127.0.0.1:1/x", &OPTIONS);
        assert_eq!(said, format!("respg: cannot open {DEVICE} (--cpu-dma-latency): {error}"));
        return;
    }
    let before = bound().unwrap();
    let mut respg = Respg::start(&OPTIONS);
    let mut client = respg.connect();
    for _ in 0..50 {
        client.plain("PING");
        assert_eq!(bound().unwrap(), before, "for few commands");
        sleep(Duration::from_millis(10));
    }
    wait_for(ASKED, || busy(&mut client));
    wait_for(before, || {});
    wait_for(ASKED, || busy(&mut client));
    client.plain("CONFIG RESETSTAT");
    wait_for(before, || {});
    wait_for(ASKED, || busy(&mut client));
    respg.kill();
    wait_for(before, || {});
}
