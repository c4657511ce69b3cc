//! An overlay is the disk below with changes, and the disk below stays as it is.

use super::{Disk, OpenMode, OverlayDisk, Random, SimulatedDisk};
use std::{path::Path, sync::Arc};

fn content(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize + 3];
    let count = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(count);
    assert_eq!(bytes.len() as u64, file.len().unwrap());
    assert_eq!(file.map().unwrap().read(0, usize::MAX).unwrap(), bytes);
    bytes
}

#[test]
fn changes_are_seen_above_and_not_below() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let below = SimulatedDisk::new(seed);
        let path = Path::new("file");
        let first: Vec<u8> = (0..random.below(20_000)).map(|_| random.number() as u8).collect();
        below.open(path, OpenMode::Create).unwrap().write_at(&first, 0).unwrap();
        let operations = below.operations();
        let overlay = OverlayDisk::new(Arc::new(below.clone()));
        let mut model = first.clone();
        for _ in 0..60 {
            let file = overlay.open(path, OpenMode::Write).unwrap();
            if random.below(6) == 0 {
                let len = random.below(25_000);
                file.truncate(len).unwrap();
                model.resize(len as usize, 0);
            } else {
                let (offset, byte) = (random.below(24_000), random.below(3) as u8);
                let bytes = vec![byte; random.below(6000) as usize];
                file.write_at(&bytes, offset).unwrap();
                let (start, end) = (offset as usize, offset as usize + bytes.len());
                if !bytes.is_empty() {
                    model.resize(model.len().max(end), 0);
                    model[start..end].fill(byte);
                }
            }
            assert_eq!(content(&overlay, path), model, "seed {seed}");
        }
        overlay.rename(path, Path::new("other")).unwrap();
        assert_eq!(content(&overlay, Path::new("other")), model);
        assert_eq!(overlay.list(Path::new("")).unwrap(), ["other"]);
        overlay.remove_file(Path::new("other")).unwrap();
        assert!(overlay.list(Path::new("")).unwrap().is_empty());
        assert_eq!(content(&below, path), first, "seed {seed}");
        assert_eq!(below.operations(), operations, "nothing is done below");
    }
}
