//! What a server says about its commands (COMMAND).

use std::collections::BTreeMap;

use super::resp::{Client, Reply};

#[derive(Clone, Debug)]
pub struct Entry {
    pub arity: i64,
    pub flags: Vec<String>,
    pub has_subcommands: bool,
    /// The server's entry as it sent it.
    pub reply: Reply,
}

/// Commands by lower-case name; subcommands as `config|get`.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    pub entries: BTreeMap<String, Entry>,
}

impl Catalogue {
    pub fn read(client: &mut Client) -> Result<Catalogue, String> {
        let mut catalogue = Catalogue::default();
        for reply in client.demand(&["COMMAND"])?.items {
            catalogue.add(reply);
        }
        Ok(catalogue)
    }

    fn add(&mut self, reply: Reply) {
        let (Some(name), Some(arity)) = (reply.items.first(), reply.items.get(1)) else { return };
        let name = name.text_lossy();
        let flags = reply.items.get(2).map_or(&[][..], |flags| &flags.items);
        let subcommands = reply.items.get(9).map_or(&[][..], |list| &list.items).to_vec();
        let entry = Entry {
            arity: arity.text_lossy().parse().unwrap_or(0),
            flags: flags.iter().map(Reply::text_lossy).collect(),
            has_subcommands: !subcommands.is_empty(),
            reply,
        };
        self.entries.insert(name, entry);
        for subcommand in subcommands {
            self.add(subcommand);
        }
    }

    /// The entry for an argument vector, the subcommand's where there is one.
    pub fn find<A: AsRef<[u8]>>(&self, words: &[A]) -> Option<(&str, &Entry)> {
        let lower = |word: &A| String::from_utf8_lossy(word.as_ref()).to_ascii_lowercase();
        let name = lower(words.first()?);
        let (key, entry) = self.entries.get_key_value(&name)?;
        match words.get(1) {
            Some(word) if entry.has_subcommands => {
                let (key, entry) = self.entries.get_key_value(&format!("{name}|{}", lower(word)))?;
                Some((key, entry))
            }
            _ => Some((key, entry)),
        }
    }

    /// Whether the command is answered with an error between MULTI and EXEC, instead of being queued.
    pub fn refuses_to_queue<A: AsRef<[u8]>>(&self, words: &[A]) -> bool {
        let Some((_, entry)) = self.find(words) else { return true };
        let count = words.len() as i64;
        let arity_fits = if entry.arity < 0 { count >= -entry.arity } else { count == entry.arity };
        !arity_fits || entry.flags.iter().any(|flag| flag == "no_multi")
    }
}
