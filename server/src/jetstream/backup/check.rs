//! Reads an archive to its end without restoring it: are its checksums right, and does it end where it says?
//! Of the tar files that nats-server wrote before 2.15 only the compression is checked.
//! Not here: what becomes of the entries (`install`).

use super::archive::{Parser, is_archive};
use super::s2;

/// What the pieces so far hold.
#[derive(Debug, Default)]
pub(crate) struct ArchiveCheck {
    packed: s2::Reader,
    form: Form,
    unpacked_bytes: u64,
    messages: u64,
}

#[derive(Debug, Default)]
enum Form {
    #[default]
    Unknown,
    Archive(Parser),
    /// Its end came, and nothing behind it counts.
    Whole,
    Older,
}

/// What an archive turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of nats-server 2.15, with so many messages.
    Archive(u64),
    /// A tar file of an older server.
    Older,
}

impl ArchiveCheck {
    /// Reads the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), &'static str> {
        self.packed.push(piece);
        while let Some(block) = self.packed.next_block()? {
            self.unpacked_bytes += block.len() as u64;
            if let Form::Unknown = self.form {
                self.form = match is_archive(&block) {
                    true => Form::Archive(Parser::default()),
                    false => Form::Older,
                };
            }
            let Form::Archive(parser) = &mut self.form else { continue };
            parser.push(&block);
            while let Some(item) = parser.next_item()? {
                if item.is_end() {
                    self.form = Form::Whole;
                    break;
                }
                self.messages += u64::from(item.sequence > 0);
            }
        }
        Ok(())
    }
    /// Bytes that the pieces so far unpack to.
    pub(crate) fn unpacked_bytes(&self) -> u64 {
        self.unpacked_bytes
    }
    /// All pieces were read.
    pub(crate) fn finish(&self) -> Result<Kind, &'static str> {
        self.packed.finish()?;
        match self.form {
            Form::Unknown => Err("archive: it is empty"),
            Form::Archive(_) => Err("archive: it ends too early"),
            Form::Whole => Ok(Kind::Archive(self.messages)),
            Form::Older => Ok(Kind::Older),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::archive::{Item, STATE, put_magic};
    use super::*;
    use bytes::Bytes;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut writer = s2::Writer::default();
        writer.write(bytes);
        writer.finish();
        writer.take(usize::MAX).unwrap().to_vec()
    }

    fn check(packed: &[u8]) -> Result<Kind, &'static str> {
        let mut check = ArchiveCheck::default();
        packed.chunks(100).try_for_each(|piece| check.push(piece))?;
        check.finish()
    }

    #[test]
    fn only_whole_archives_pass() {
        let item = |name: &str, sequence| Item {
            name: Bytes::copy_from_slice(name.as_bytes()),
            sequence,
            payload: Bytes::from(vec![1; 300]),
            ..Item::default()
        };
        let mut bytes = Vec::new();
        put_magic(&mut bytes);
        for (name, sequence) in [(STATE, 0), ("consumers/C", 0), ("a.b", 5), ("a.c", 9)] {
            item(name, sequence).put(&mut bytes);
        }
        assert!(check(&packed(&bytes)).is_err(), "no end");
        Item::default().put(&mut bytes);
        let whole = packed(&bytes);
        assert_eq!(check(&whole), Ok(Kind::Archive(2)));
        // What stands behind the end does not count.
        assert_eq!(check(&packed(&[&bytes[..], b"more"].concat())), Ok(Kind::Archive(2)));
        for cut in [0, 5, whole.len() / 2, whole.len() - 1] {
            assert!(check(&whole[..cut]).is_err(), "cut at {cut}");
        }
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        assert!(check(&changed).is_err());
        assert_eq!(check(&packed(&[b'x'; 600])), Ok(Kind::Older));
        assert!(check(&packed(b"")).is_err());
    }
}
