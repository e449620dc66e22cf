//! The files that a checkpoint's lines become, folder by folder. The same chunks always become the same files, so that a
//! commit can be carried out again. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Bytes of all folders that are held before the largest of them becomes a file.
const HELD_BYTES: u64 = 256 << 20;

/// Files being put together.
pub struct Parts {
    folders: BTreeMap<String, Open>,
    file_bytes: u64,
    held: u64,
}

#[derive(Default)]
struct Open {
    number: u32,
    bytes: u64,
    lines: Vec<Bytes>,
}

/// A whole file.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub folder: String,
    /// Counted within the folder and checkpoint.
    pub number: u32,
    pub lines: Vec<Bytes>,
}

impl Parts {
    /// Files are whole when they have this much.
    pub fn new(file_bytes: u64) -> Self {
        Self { folders: BTreeMap::new(), file_bytes, held: 0 }
    }

    /// Takes lines in. Gives the file that is whole now, if one is.
    pub fn add(&mut self, folder: &str, lines: Bytes) -> Option<Part> {
        if lines.is_empty() {
            return None;
        }
        self.held += lines.len() as u64;
        let open = self.folders.entry(folder.to_string()).or_default();
        open.bytes += lines.len() as u64;
        open.lines.push(lines);
        if open.bytes >= self.file_bytes {
            return self.close(folder);
        }
        if self.held < HELD_BYTES {
            return None;
        }
        let largest = self.folders.iter().max_by_key(|(_, open)| open.bytes)?.0.clone();
        self.close(&largest)
    }

    /// The files that are left.
    pub fn finish(mut self) -> Vec<Part> {
        let folders: Vec<String> = self.folders.keys().cloned().collect();
        folders.iter().filter_map(|folder| self.close(folder)).collect()
    }

    fn close(&mut self, folder: &str) -> Option<Part> {
        let open = self.folders.get_mut(folder).filter(|open| !open.lines.is_empty())?;
        let part = Part { folder: folder.to_string(), number: open.number, lines: std::mem::take(&mut open.lines) };
        self.held -= std::mem::take(&mut open.bytes);
        open.number += 1;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(part: &Part) -> String {
        let lines: Vec<&str> = part.lines.iter().map(|lines| std::str::from_utf8(lines).unwrap()).collect();
        format!("{}/{}={}", part.folder, part.number, lines.concat())
    }

    #[test]
    fn a_folder_s_file_is_whole_when_it_is_large_enough_or_all_is_in() {
        let mut parts = Parts::new(4);
        let mut whole = Vec::new();
        for (folder, lines) in [("a", "1\n"), ("b", "2\n"), ("a", ""), ("a", "3\n"), ("a", "4\n"), ("c", "55555\n")] {
            whole.extend(parts.add(folder, Bytes::from(lines)).iter().map(text));
        }
        assert_eq!(whole, ["a/0=1\n3\n", "c/0=55555\n"]);
        let rest: Vec<String> = parts.finish().iter().map(text).collect();
        assert_eq!(rest, ["a/1=4\n", "b/0=2\n"]);
    }

    #[test]
    fn many_folders_do_not_hold_more_than_fits() {
        let mut parts = Parts::new(u64::MAX);
        let lines = Bytes::from(vec![b'x'; 1 << 20]);
        let mut files = 0;
        for place in 0..600 {
            files += usize::from(parts.add(&format!("{}", place % 3), lines.clone()).is_some());
            assert!(parts.held < HELD_BYTES);
        }
        assert!(files >= 3);
    }
}
