//! The files of dirty slots of a process: one for whoever follows, and a second one for those who follow for the keys that are moved by pattern.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::dirty::Dirty;

/// In the folder of the first one.
const MOVED: &str = "moved";

/// Each in the direction that the mode has, or that of moved keys.
pub struct Marks {
    pub of_mode: Arc<Dirty>,
    pub of_moved: Option<Arc<Dirty>>,
}

impl Marks {
    /// Of a slot that one file has marked, what may differ are the keys of the other, too: it may be that they have changed hands since. `new`: what missing files mean.
    pub fn open(folder: &Path, divided: bool, new: bool) -> io::Result<Marks> {
        let (of_mode, beside) = (Dirty::open(folder, new)?, folder.join(MOVED));
        if divided {
            let of_moved = Dirty::open(&beside, new)?;
            of_moved.adopt(&of_mode)?;
            of_mode.adopt(&of_moved)?;
            return Ok(Marks { of_mode: of_mode.into(), of_moved: Some(of_moved.into()) });
        }
        if beside.exists() {
            of_mode.adopt(&Dirty::open(&beside, false)?)?;
            // Not before: they are marked in the other file now.
            std::fs::remove_dir_all(&beside)?;
        }
        Ok(Marks { of_mode: of_mode.into(), of_moved: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::record::Touched;

    #[test]
    fn no_mark_is_lost_when_keys_change_hands() {
        let folder = std::env::temp_dir().join(format!("respg-marks-{}", std::process::id()));
        let slots = |slots: &[u16]| Touched::Slots(slots.iter().copied().collect());
        let marks = Marks::open(&folder, false, false).unwrap();
        assert!(marks.of_moved.is_none());
        marks.of_mode.begin(&slots(&[1])).unwrap();
        let marks = Marks::open(&folder, true, false).unwrap();
        let of_moved = marks.of_moved.unwrap();
        assert!(marks.of_mode.is_broken(1) && of_moved.is_broken(1));
        of_moved.begin(&slots(&[2])).unwrap();
        let marks = Marks::open(&folder, true, false).unwrap();
        assert_eq!((marks.of_mode.broken(), marks.of_moved.unwrap().broken()), (2, 2));
        // What was repaired is no longer marked in one of them.
        let marks = Marks::open(&folder, false, false).unwrap();
        assert!(marks.of_mode.is_broken(1) && marks.of_mode.is_broken(2));
        marks.of_mode.begin_repair();
        marks.of_mode.end_repair(true);
        marks.of_mode.sweep().unwrap();
        let marks = Marks::open(&folder, true, false).unwrap();
        assert_eq!((marks.of_mode.broken(), marks.of_moved.unwrap().broken()), (0, 0));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
