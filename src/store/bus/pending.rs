//! Packets that this process has sent and that have not come back yet. Hot path.

use std::collections::HashMap;
use std::sync::Mutex;

use super::{Item, Outgoing, Receiver, StoreError};

#[derive(Default)]
pub struct Pending(Mutex<HashMap<u64, Packet>>);

struct Packet {
    items: Vec<Outgoing>,
    committed: bool,
}

impl Pending {
    pub fn add(&self, number: u64, items: Vec<Outgoing>) {
        self.lock().insert(number, Packet { items, committed: false });
    }

    /// The items of a packet that has come back.
    pub fn take(&self, number: u64) -> Option<Vec<Outgoing>> {
        self.lock().remove(&number).map(|packet| packet.items)
    }

    /// These are committed. If they cannot come back, `lost` says so, they are done with.
    pub fn committed(&self, numbers: &[u64], lost: impl Fn() -> bool, receiver: &dyn Receiver) {
        let mut done = Vec::new();
        {
            let mut packets = self.lock();
            // Asked under the lock: whoever loses the connection says so first, then collects what is committed.
            let lost = lost();
            for number in numbers {
                match lost {
                    true => done.extend(packets.remove(number)),
                    false => {
                        if let Some(packet) = packets.get_mut(number) {
                            packet.committed = true;
                        }
                    }
                }
            }
        }
        done.into_iter().for_each(|packet| unheard(packet, receiver));
    }

    /// What is committed will not come back: the listening connection is gone.
    pub fn connection_lost(&self, receiver: &dyn Receiver) {
        let done: Vec<Packet> =
            self.lock().extract_if(|_, packet| packet.committed).map(|(_, packet)| packet).collect();
        done.into_iter().for_each(|packet| unheard(packet, receiver));
    }

    /// These are not committed, or nobody knows.
    pub fn failed(&self, numbers: &[u64], error: &StoreError) {
        for items in numbers.iter().filter_map(|number| self.take(*number)) {
            for receipt in items.into_iter().filter_map(|outgoing| outgoing.receipt) {
                receipt(Err(error.clone()));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Packet>> {
        self.0.lock().expect("no panic while held")
    }
}

/// A message has reached the other processes and nobody here; anything else depends on being heard here.
fn unheard(packet: Packet, receiver: &dyn Receiver) {
    for Outgoing { item, receipt } in packet.items {
        let Some(receipt) = receipt else { continue };
        match item {
            Item::Message { kind, channel, .. } => receipt(Ok(receiver.elsewhere(kind, &channel))),
            _ => receipt(Err(StoreError::Unavailable("the listening connection was lost".to_owned()))),
        }
    }
}
