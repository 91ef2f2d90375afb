//! Records on disk: files of limited size in one folder, written at the end and read at the front, removed when they have been read. Nothing of
//! it survives the process: what was in it is marked in the dirty slots. Blocking; called on a thread of its own.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::record::Record;

/// A file is closed when it is longer than this.
const FILE: u64 = 64 * 1024 * 1024;
/// Records are written in pieces of this size at least, if there are so many.
const PIECE: usize = 1024 * 1024;

/// The files, oldest first.
pub struct Spool {
    folder: PathBuf,
    files: VecDeque<Written>,
    writing: Option<File>,
    reading: Option<BufReader<File>>,
    /// Bytes read of the oldest file.
    read: u64,
    numbers: u64,
    bytes: u64,
}

struct Written {
    path: PathBuf,
    bytes: u64,
}

impl Spool {
    /// Uses `folder`, which is made if need be; what an earlier process left there is removed.
    pub fn open(folder: &Path) -> io::Result<Spool> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "spool") {
                fs::remove_file(path)?;
            }
        }
        Ok(Spool {
            folder: folder.to_owned(),
            files: VecDeque::new(),
            writing: None,
            reading: None,
            read: 0,
            numbers: 0,
            bytes: 0,
        })
    }

    /// Bytes that have been written and not read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Appends records. After an error some of them may be there and some not, and those that are not are lost.
    pub fn write<'r>(&mut self, records: impl IntoIterator<Item = &'r Record>) -> io::Result<()> {
        let mut piece = BytesMut::with_capacity(PIECE);
        for record in records {
            record.encode(&mut piece);
            if piece.len() >= PIECE {
                self.append(&piece)?;
                piece.clear();
            }
        }
        if piece.is_empty() { Ok(()) } else { self.append(&piece) }
    }

    fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.files.back().is_none_or(|file| file.bytes >= FILE) {
            self.writing = None;
        }
        if self.writing.is_none() {
            self.numbers += 1;
            let path = self.folder.join(format!("{:010}.spool", self.numbers));
            self.writing = Some(File::options().write(true).create_new(true).open(&path)?);
            self.files.push_back(Written { path, bytes: 0 });
        }
        let (Some(file), Some(written)) = (&mut self.writing, self.files.back_mut()) else {
            return Err(io::Error::other("no spool file"));
        };
        if let Err(error) = file.write_all(piece) {
            // Half a record must not stand in the middle.
            file.set_len(written.bytes)?;
            self.writing = None;
            return Err(error);
        }
        written.bytes += piece.len() as u64;
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Takes records of some `bytes` off the front; at least one, if there are any.
    pub fn take(&mut self, bytes: usize) -> io::Result<Vec<Record>> {
        let mut taken = Vec::new();
        let mut size = 0;
        while size < bytes {
            let Some(oldest) = self.files.front() else { break };
            if self.read >= oldest.bytes {
                if self.files.len() == 1 {
                    self.writing = None;
                }
                fs::remove_file(&oldest.path)?;
                self.files.pop_front();
                (self.reading, self.read) = (None, 0);
                continue;
            }
            if self.reading.is_none() {
                self.reading = Some(BufReader::with_capacity(256 * 1024, File::open(&oldest.path)?));
            }
            let Some(reading) = &mut self.reading else { break };
            let mut length = [0; 4];
            reading.read_exact(&mut length)?;
            let mut record = vec![0; 4 + u32::from_be_bytes(length) as usize];
            record[..4].copy_from_slice(&length);
            reading.read_exact(&mut record[4..])?;
            size += record.len();
            self.read += record.len() as u64;
            self.bytes -= record.len() as u64;
            let bad = || io::Error::new(io::ErrorKind::InvalidData, "a record of the spool is damaged");
            taken.push(Record::decode(&mut Bytes::from(record)).ok_or_else(bad)?);
        }
        Ok(taken)
    }

    /// Forgets everything, after an error.
    pub fn clear(&mut self) {
        for file in self.files.drain(..) {
            let _ = fs::remove_file(file.path);
        }
        (self.writing, self.reading, self.read, self.bytes) = (None, None, 0, 0);
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::record::tests::set;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("respg-spool-{name}-{}", std::process::id()))
    }

    #[test]
    fn in_order_over_many_files() {
        let folder = folder("order");
        let mut spool = Spool::open(&folder).unwrap();
        let big = 5 * 1024 * 1024;
        let mut taken = 0;
        for i in 0..40 {
            spool.write(&[set(&i.to_string(), big)]).unwrap();
            if i % 3 == 2 {
                for record in spool.take(1).unwrap() {
                    assert_eq!(format!("{record:?}"), format!("{:?}", set(&taken.to_string(), big)));
                    taken += 1;
                }
            }
        }
        assert!(fs::read_dir(&folder).unwrap().count() > 1);
        let rest = spool.take(usize::MAX).unwrap();
        assert_eq!(rest.len(), 40 - taken);
        assert_eq!((spool.bytes(), fs::read_dir(&folder).unwrap().count()), (0, 0));
        spool.write(&[set("again", 1)]).unwrap();
        assert_eq!(spool.take(1).unwrap().len(), 1);
        drop(spool);
        fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn what_others_left_is_removed() {
        let folder = folder("left");
        let mut spool = Spool::open(&folder).unwrap();
        spool.write(&[set("k", 1)]).unwrap();
        std::mem::forget(spool);
        let mut spool = Spool::open(&folder).unwrap();
        assert!(spool.take(1).unwrap().is_empty() && fs::read_dir(&folder).unwrap().count() == 0);
        drop(spool);
        fs::remove_dir(&folder).unwrap();
    }
}
