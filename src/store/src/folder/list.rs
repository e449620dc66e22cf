//! Lists keys in their order, a page at a time, walking only the folders that can hold some.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use super::{Stat, names, stat};

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub prefix: String,
    /// Keys that have it after the prefix are listed by what comes before it only.
    pub delimiter: Option<String>,
    pub after: Option<After>,
    pub limit: usize,
}

/// The last thing that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    Key(String),
    /// A common prefix, with all keys below it.
    Prefix(String),
}

#[derive(Debug, Default)]
pub struct Page {
    pub objects: Vec<(String, Stat)>,
    pub prefixes: Vec<String>,
    /// Where the next page goes on; none if this is the last.
    pub next: Option<After>,
}

pub fn list(bucket: &Path, query: Query) -> io::Result<Page> {
    let mut listing = Listing { query, page: Page::default(), last: None };
    if listing.query.limit > 0 {
        let _ = walk(bucket, "", &mut listing)?;
    }
    Ok(listing.page)
}

struct Listing {
    query: Query,
    page: Page,
    last: Option<After>,
}

fn walk(folder: &Path, base: &str, listing: &mut Listing) -> io::Result<ControlFlow<()>> {
    for (part, name) in entries(folder)? {
        let (key, path) = (format!("{base}{part}"), folder.join(name));
        let flow = if !part.ends_with('/') {
            listing.object(key, &path)?
        } else if !listing.may_hold(&key) {
            ControlFlow::Continue(())
        } else if listing.groups(&key) {
            if holds_object(&path)? { listing.prefix(key) } else { ControlFlow::Continue(()) }
        } else {
            walk(&path, &key, listing)?
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// A folder's entries as parts of keys, in the order that their keys have.
fn entries(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let entries = match fs::read_dir(folder) {
        // Its last object was deleted since we saw it.
        Err(error) if super::is_absent(&error) => return Ok(Vec::new()),
        other => other?,
    };
    let mut parts = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && let Some(part) = names::key_part(&name)
        {
            parts.push((part, name));
        }
    }
    parts.sort();
    Ok(parts)
}

fn holds_object(folder: &Path) -> io::Result<bool> {
    for (part, name) in entries(folder)? {
        if !part.ends_with('/') || holds_object(&folder.join(name))? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Listing {
    /// Whether a folder can hold a key that is to be listed.
    fn may_hold(&self, folder: &str) -> bool {
        let in_prefix = folder.starts_with(&self.query.prefix) || self.query.prefix.starts_with(folder);
        in_prefix
            && match &self.query.after {
                None => true,
                Some(After::Key(key)) => folder > key.as_str() || key.starts_with(folder),
                Some(After::Prefix(prefix)) => {
                    !folder.starts_with(prefix) && (folder > prefix.as_str() || prefix.starts_with(folder))
                }
            }
    }

    /// Whether all keys of a folder are listed as one common prefix.
    fn groups(&self, folder: &str) -> bool {
        self.query.delimiter.as_deref() == Some("/")
            && folder.len() > self.query.prefix.len()
            && folder.starts_with(&self.query.prefix)
    }

    fn is_after(&self, key: &str) -> bool {
        match &self.query.after {
            None => true,
            Some(After::Key(last)) => key > last.as_str(),
            Some(After::Prefix(last)) => key > last.as_str() && !key.starts_with(last),
        }
    }

    fn object(&mut self, key: String, path: &Path) -> io::Result<ControlFlow<()>> {
        let Some(rest) = key.strip_prefix(&self.query.prefix) else { return Ok(ControlFlow::Continue(())) };
        if !self.is_after(&key) {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(delimiter) = self.query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())
            && let Some(at) = rest.find(delimiter)
        {
            let end = self.query.prefix.len() + at + delimiter.len();
            return Ok(self.prefix(key[..end].to_string()));
        }
        if self.is_full() {
            return Ok(ControlFlow::Break(()));
        }
        // It may have been deleted since the folder was read.
        if let Some(stat) = stat(path)? {
            self.last = Some(After::Key(key.clone()));
            self.page.objects.push((key, stat));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn prefix(&mut self, prefix: String) -> ControlFlow<()> {
        if self.page.prefixes.last() == Some(&prefix) {
            return ControlFlow::Continue(());
        }
        if self.is_full() {
            return ControlFlow::Break(());
        }
        self.last = Some(After::Prefix(prefix.clone()));
        self.page.prefixes.push(prefix);
        ControlFlow::Continue(())
    }

    /// There is more than fits: the page ends, and says where the next begins.
    fn is_full(&mut self) -> bool {
        let full = self.page.objects.len() + self.page.prefixes.len() >= self.query.limit;
        if full {
            self.page.next = self.last.clone();
        }
        full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::{Condition, Folder};

    /// A bucket with these keys, each an empty object.
    fn bucket(keys: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        folder.create_bucket("b").unwrap();
        for key in keys {
            let temporary = folder.temporary();
            fs::write(temporary.path(), "").unwrap();
            folder.publish(&temporary, "b", key, &Condition::Always).unwrap();
        }
        let path = folder.bucket("b").unwrap();
        (root, path)
    }

    /// All pages in text: keys, and prefixes in brackets.
    fn pages(bucket: &Path, query: &Query) -> Vec<String> {
        let (mut pages, mut query) = (Vec::new(), query.clone());
        loop {
            let page = list(bucket, query.clone()).unwrap();
            let mut names: Vec<String> = page.objects.iter().map(|(key, _)| key.clone()).collect();
            names.extend(page.prefixes.iter().map(|prefix| format!("[{prefix}]")));
            pages.push(names.join(" "));
            match page.next {
                None => return pages,
                next => query.after = next,
            }
        }
    }

    const KEYS: [&str; 8] = ["a", "a-b", "a/b", "a/c/d", "a/c/e", "a0", "b/x", "é"];

    #[test]
    fn keys_come_in_their_order_however_small_the_pages() {
        let (_root, bucket) = bucket(&KEYS);
        for limit in 1..10 {
            let all = pages(&bucket, &Query { limit, ..Query::default() }).join(" ");
            assert_eq!(all.trim_end(), "a a-b a/b a/c/d a/c/e a0 b/x é", "pages of {limit}");
        }
    }

    #[test]
    fn a_delimiter_groups_keys_and_no_group_comes_twice() {
        let (_root, bucket) = bucket(&KEYS);
        let query = Query { delimiter: Some("/".into()), limit: 2, ..Query::default() };
        assert_eq!(pages(&bucket, &query), ["a a-b", "a0 [a/]", "é [b/]"]);
        let query = Query { prefix: "a/".into(), limit: 10, ..query };
        assert_eq!(pages(&bucket, &query), ["a/b [a/c/]"]);
        let query = Query { prefix: "".into(), delimiter: Some("-".into()), ..query };
        assert_eq!(pages(&bucket, &query), ["a a/b a/c/d a/c/e a0 b/x é [a-]"]);
    }

    #[test]
    fn a_listing_may_start_after_any_key_and_within_any_prefix() {
        let (_root, bucket) = bucket(&KEYS);
        let after = |key: &str, prefix: &str| {
            let query =
                Query { prefix: prefix.into(), after: Some(After::Key(key.into())), limit: 100, delimiter: None };
            pages(&bucket, &query).join(" ")
        };
        assert_eq!(after("a/c/d", ""), "a/c/e a0 b/x é");
        assert_eq!(after("a/c", "a/"), "a/c/d a/c/e");
        assert_eq!(after("zzz", ""), "é");
        assert_eq!(after("", "a/c/"), "a/c/d a/c/e");
        assert_eq!(after("", "none"), "");
    }
}
