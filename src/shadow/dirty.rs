//! Which hash slots may differ between the two sides: a bitmap in memory and in a file, which outlives the process however that ends.
//!
//! A slot is marked before a write of it is sent, and unmarked, in bulk, when all writes of it have been followed. What is marked when a process
//! starts has to be repaired.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

use super::record::Touched;
use crate::keyspace::slot::SLOTS;

const WORDS: usize = SLOTS as usize / 64;
/// `respg` and the format's number.
const MAGIC: &[u8; 8] = b"respg 01";
/// The kernel's name for this run of the machine, after the magic.
const BOOT: usize = 40;
const HEADER: usize = MAGIC.len() + BOOT;

/// The marks.
pub struct Dirty {
    file: Mutex<File>,
    /// What the file says.
    marked: Vec<AtomicU64>,
    /// Writes under way, by slot.
    under_way: Vec<AtomicU32>,
    /// Writes under way that concern all slots.
    all_under_way: AtomicU32,
    /// Slots that differ until they are repaired.
    broken: Vec<AtomicU64>,
    /// Slots that are being repaired.
    repairing: Vec<AtomicU64>,
    /// Whether there are any of either.
    any_broken: AtomicBool,
}

impl Dirty {
    /// Reads the marks of the last process. `new` says what a missing file means: whether all slots are to be repaired.
    pub fn open(folder: &Path, new: bool) -> io::Result<Dirty> {
        fs::create_dir_all(folder)?;
        let path = folder.join("dirty-slots");
        let boot = boot_id();
        let marks = match fs::read(&path) {
            Ok(bytes) if bytes.len() == HEADER + WORDS * 8 && bytes.starts_with(MAGIC) => {
                // After a crash of the machine the file may be older than what it tells of.
                match bytes[MAGIC.len()..HEADER] == boot || bytes[HEADER..].iter().all(|byte| *byte == 0) {
                    true => words(&bytes[HEADER..]),
                    false => vec![u64::MAX; WORDS],
                }
            }
            Ok(_) => vec![u64::MAX; WORDS],
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                vec![if new { u64::MAX } else { 0 }; WORDS]
            }
            Err(error) => return Err(error),
        };
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut bytes = [&MAGIC[..], &boot].concat();
        bytes.extend(marks.iter().flat_map(|word| word.to_be_bytes()));
        file.write_all_at(&bytes, 0)?;
        file.set_len(bytes.len() as u64)?;
        let atomic = |words: &[u64]| words.iter().map(|word| AtomicU64::new(*word)).collect::<Vec<_>>();
        Ok(Dirty {
            file: Mutex::new(file),
            any_broken: AtomicBool::new(marks.iter().any(|word| *word != 0)),
            broken: atomic(&marks),
            repairing: atomic(&[0; WORDS]),
            marked: atomic(&marks),
            under_way: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
            all_under_way: AtomicU32::new(0),
        })
    }

    /// Marks all slots in the file of a folder that nobody uses at the moment.
    pub fn mark_all(folder: &Path) -> io::Result<()> {
        Dirty::open(folder, true)?.begin(&Touched::All)
    }

    /// Takes over the marks of another file: these slots have to be repaired, too.
    pub fn adopt(&self, other: &Dirty) -> io::Result<()> {
        let file = self.lock();
        for word in 0..WORDS {
            let marks = other.marked[word].load(SeqCst);
            if marks == 0 {
                continue;
            }
            self.broken[word].fetch_or(marks, SeqCst);
            self.any_broken.store(true, SeqCst);
            let marks = self.marked[word].fetch_or(marks, SeqCst) | marks;
            file.write_all_at(&marks.to_be_bytes(), (HEADER + word * 8) as u64)?;
        }
        Ok(())
    }

    /// To be called before a write is sent. Almost always without I/O: only a slot that was quiet is written to the file.
    pub fn begin(&self, touched: &Touched) -> io::Result<()> {
        match touched {
            Touched::All => {
                self.all_under_way.fetch_add(1, SeqCst);
                if self.marked.iter().any(|word| word.load(SeqCst) != u64::MAX) {
                    let file = self.lock();
                    self.marked.iter().for_each(|word| word.store(u64::MAX, SeqCst));
                    file.write_all_at(&[0xff; WORDS * 8], HEADER as u64)?;
                }
            }
            Touched::Slots(slots) => {
                for &slot in slots {
                    self.under_way[usize::from(slot)].fetch_add(1, SeqCst);
                    let (word, bit) = place(slot);
                    if self.marked[word].load(SeqCst) & bit == 0 {
                        let file = self.lock();
                        let marks = self.marked[word].fetch_or(bit, SeqCst) | bit;
                        file.write_all_at(&marks.to_be_bytes(), (HEADER + word * 8) as u64)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Marks slots; without that nothing may be written, so a disk that fails is said loudly.
    pub fn mark(&self, touched: &Touched) {
        if let Err(error) = self.begin(touched) {
            tracing::error!(%error, "the file of dirty slots cannot be written: a crash now would leave differences");
        }
    }

    /// The write has been followed, or was never sent.
    pub fn end(&self, touched: &Touched) {
        match touched {
            Touched::All => drop(self.all_under_way.fetch_sub(1, SeqCst)),
            Touched::Slots(slots) => slots.iter().for_each(|slot| {
                self.under_way[usize::from(*slot)].fetch_sub(1, SeqCst);
            }),
        }
    }

    /// The write has not been followed, and will not be: its slots differ until they are repaired.
    pub fn give_up(&self, touched: &Touched) {
        match touched {
            Touched::All => self.broken.iter().for_each(|word| word.store(u64::MAX, SeqCst)),
            Touched::Slots(slots) => slots.iter().for_each(|slot| {
                let (word, bit) = place(*slot);
                self.broken[word].fetch_or(bit, SeqCst);
            }),
        }
        self.any_broken.store(true, SeqCst);
        self.end(touched);
    }

    /// Nobody knows what was lost: all slots differ, and of what is under way nothing is known any more.
    pub fn lose_track(&self) {
        self.broken.iter().for_each(|word| word.store(u64::MAX, SeqCst));
        self.any_broken.store(true, SeqCst);
    }

    /// Whether the slot is known to differ.
    pub fn is_broken(&self, slot: u16) -> bool {
        let (word, bit) = place(slot);
        self.any_broken.load(SeqCst)
            && (self.broken[word].load(SeqCst) | self.repairing[word].load(SeqCst)) & bit != 0
    }

    /// Whether nothing is under way in the slot, and it is not known to differ.
    pub fn is_quiet(&self, slot: u16) -> bool {
        self.under_way[usize::from(slot)].load(SeqCst) == 0
            && self.all_under_way.load(SeqCst) == 0
            && !self.is_broken(slot)
    }

    /// Whether any slot is known to differ.
    pub fn is_any_broken(&self) -> bool {
        self.any_broken.load(SeqCst)
    }

    /// How many slots are to be repaired.
    pub fn broken(&self) -> u32 {
        self.broken.iter().map(|word| word.load(SeqCst).count_ones()).sum()
    }

    /// How many slots are to be repaired or in repair.
    pub fn unsure(&self) -> u32 {
        let unsure = |(broken, repairing): (&AtomicU64, &AtomicU64)| {
            (broken.load(SeqCst) | repairing.load(SeqCst)).count_ones()
        };
        self.broken.iter().zip(&self.repairing).map(unsure).sum()
    }

    /// How many slots are marked.
    pub fn marked(&self) -> u32 {
        self.marked.iter().map(|word| word.load(SeqCst).count_ones()).sum()
    }

    /// Begins the repair of the slots that are broken now; what breaks from now on is left for the next one.
    pub fn begin_repair(&self) {
        for (broken, repairing) in self.broken.iter().zip(&self.repairing) {
            repairing.store(broken.load(SeqCst), SeqCst);
            broken.fetch_and(!repairing.load(SeqCst), SeqCst);
        }
    }

    /// Whether the slot is in the repair.
    pub fn in_repair(&self, slot: u16) -> bool {
        let (word, bit) = place(slot);
        self.repairing[word].load(SeqCst) & bit != 0
    }

    /// What is in the repair is left for the next one, too.
    pub fn begin_again(&self) {
        for (broken, repairing) in self.broken.iter().zip(&self.repairing) {
            broken.fetch_or(repairing.load(SeqCst), SeqCst);
        }
    }

    /// Ends the repair: its slots are good, or still broken.
    pub fn end_repair(&self, good: bool) {
        for (broken, repairing) in self.broken.iter().zip(&self.repairing) {
            if !good {
                broken.fetch_or(repairing.load(SeqCst), SeqCst);
            }
            repairing.store(0, SeqCst);
        }
        self.any_broken.store(self.broken() > 0, SeqCst);
        // Not lost if it came in between.
        if self.broken() > 0 {
            self.any_broken.store(true, SeqCst);
        }
    }

    /// Unmarks the slots that have nothing under way and are not broken, nor in repair.
    pub fn sweep(&self) -> io::Result<()> {
        let kept = |word: usize| {
            self.broken[word].load(SeqCst) | self.repairing[word].load(SeqCst) | !self.quiet(word)
        };
        for word in 0..WORDS {
            let quiet = self.marked[word].load(SeqCst) & !kept(word);
            if quiet == 0 {
                continue;
            }
            let file = self.lock();
            self.marked[word].fetch_and(!quiet, SeqCst);
            // A write that began in between has seen its mark, or sees now that there is none and waits for the file.
            let back = quiet & kept(word);
            let marks = self.marked[word].fetch_or(back, SeqCst) | back;
            file.write_all_at(&marks.to_be_bytes(), (HEADER + word * 8) as u64)?;
        }
        Ok(())
    }

    /// The slots of a word without writes under way.
    fn quiet(&self, word: usize) -> u64 {
        if self.all_under_way.load(SeqCst) > 0 {
            return 0;
        }
        let counts = &self.under_way[word * 64..(word + 1) * 64];
        counts.iter().rev().fold(0, |bits, count| bits << 1 | u64::from(count.load(SeqCst) == 0))
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().expect("no panic while held")
    }
}

fn place(slot: u16) -> (usize, u64) {
    (usize::from(slot / 64), 1 << (slot % 64))
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_be_bytes(*word)).collect()
}

fn boot_id() -> [u8; BOOT] {
    let mut id = [b' '; BOOT];
    let text = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let length = text.len().min(BOOT);
    id[..length].copy_from_slice(&text[..length]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            Folder(std::env::temp_dir().join(format!("respg-dirty-{name}-{}", std::process::id())))
        }

        fn open(&self) -> Dirty {
            Dirty::open(&self.0, false).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn slots(slots: &[u16]) -> Touched {
        Touched::Slots(slots.iter().copied().collect())
    }

    #[test]
    fn what_was_under_way_is_to_be_repaired() {
        let folder = Folder::new("under-way");
        let dirty = folder.open();
        assert_eq!((dirty.marked(), dirty.broken()), (0, 0));
        dirty.begin(&slots(&[0, 77])).unwrap();
        dirty.begin(&slots(&[77, 16383])).unwrap();
        dirty.end(&slots(&[0, 77]));
        dirty.sweep().unwrap();
        assert_eq!(dirty.marked(), 2);
        // As after a kill: the file is all that is left.
        let dirty = folder.open();
        assert_eq!((dirty.marked(), dirty.broken()), (2, 2));
        assert!(dirty.is_broken(77) && dirty.is_broken(16383) && !dirty.is_broken(0));
        dirty.begin_repair();
        dirty.sweep().unwrap();
        assert!(dirty.is_broken(77) && dirty.in_repair(77) && dirty.broken() == 0);
        assert_eq!(folder.open().broken(), 2);
        dirty.end_repair(true);
        assert!(!dirty.is_broken(77));
        dirty.sweep().unwrap();
        assert_eq!((dirty.marked(), folder.open().broken()), (0, 0));
    }

    #[test]
    fn what_was_given_up_stays_marked() {
        let folder = Folder::new("given-up");
        let dirty = folder.open();
        dirty.begin(&Touched::All).unwrap();
        assert_eq!(folder.open().broken(), u32::from(SLOTS));
        let dirty = {
            drop(dirty);
            fs::remove_dir_all(&folder.0).unwrap();
            folder.open()
        };
        dirty.begin(&slots(&[5])).unwrap();
        dirty.give_up(&slots(&[5]));
        dirty.sweep().unwrap();
        assert!(dirty.is_broken(5) && dirty.marked() == 1);
        dirty.begin_repair();
        assert!(dirty.in_repair(5) && !dirty.in_repair(6));
        dirty.end_repair(false);
        assert_eq!(dirty.broken(), 1);
        dirty.begin_repair();
        dirty.begin_again();
        dirty.end_repair(true);
        assert!(dirty.is_broken(5) && !dirty.in_repair(5));
        dirty.sweep().unwrap();
        assert_eq!(folder.open().broken(), 1);
    }

    #[test]
    fn damaged_files_and_missing_ones() {
        let folder = Folder::new("damaged");
        assert_eq!(Dirty::open(&folder.0, true).unwrap().broken(), u32::from(SLOTS));
        let path = folder.0.join("dirty-slots");
        fs::write(&path, b"respg 01").unwrap();
        assert_eq!(folder.open().broken(), u32::from(SLOTS));
        folder.open().sweep().unwrap();
        // Of a machine that has been started again since.
        let dirty = folder.open();
        dirty.begin_repair();
        dirty.end_repair(true);
        dirty.sweep().unwrap();
        dirty.begin(&slots(&[9])).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[MAGIC.len()] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(folder.open().broken(), u32::from(SLOTS));
    }

    #[test]
    fn no_write_under_way_is_ever_unmarked() {
        let folder = Folder::new("race");
        let dirty = folder.open();
        let path = folder.0.join("dirty-slots");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    dirty.sweep().unwrap();
                }
            });
            let file = File::open(&path).unwrap();
            for i in 0..20_000u32 {
                let slot = (i % 3) as u16;
                dirty.begin(&slots(&[slot])).unwrap();
                let mut word = [0; 8];
                file.read_exact_at(&mut word, HEADER as u64).unwrap();
                let marked = u64::from_be_bytes(word) & 1 << slot != 0;
                dirty.end(&slots(&[slot]));
                if !marked {
                    done.store(true, SeqCst);
                    panic!("write {i} was not marked");
                }
            }
            done.store(true, SeqCst);
        });
    }
}
