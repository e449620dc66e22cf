//! Where records begin and end in the bytes of a file. Pure.

use std::ops::Range;

use super::options::FileFormat;

/// What makes a line's end a part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoting {
    delimiter: u8,
    quote: u8,
}

impl Quoting {
    /// None for a format in which every line is a record.
    pub fn of(format: &FileFormat) -> Option<Self> {
        match format {
            FileFormat::Csv(csv) => csv.quote.map(|quote| Self { delimiter: csv.delimiter, quote }),
            FileFormat::Json(_) | FileFormat::Raw => None,
        }
    }
}

/// The whole records in these bytes, each with its line's end, one behind the other. What is left over at the end is the
/// beginning of another record, unless the file ends here: then it is one, without a line's end.
pub fn records(bytes: &[u8], quoting: Option<Quoting>, ends_here: bool) -> Vec<Range<usize>> {
    let mut records = Vec::new();
    let mut start = 0;
    let mut push = |end: usize| {
        records.push(start..end);
        start = end;
    };
    match quoting.filter(|quoting| bytes.contains(&quoting.quote)) {
        None => bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').for_each(|(place, _)| push(place + 1)),
        Some(quoting) => ends_outside_quotes(bytes, quoting, push),
    }
    if ends_here && start < bytes.len() {
        records.push(start..bytes.len());
    }
    records
}

/// Where a line has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// A field begins: a quote here opens it.
    Start,
    Plain,
    Quoted,
    /// Behind a quote that has closed the field, unless another follows: two of them stand for one.
    Closed,
}

fn ends_outside_quotes(bytes: &[u8], Quoting { delimiter, quote }: Quoting, mut end: impl FnMut(usize)) {
    let mut at = At::Start;
    for (place, byte) in bytes.iter().copied().enumerate() {
        at = match at {
            At::Quoted if byte == quote => At::Closed,
            At::Quoted => At::Quoted,
            At::Start | At::Closed if byte == quote => At::Quoted,
            At::Start | At::Plain | At::Closed if byte == b'\n' => {
                end(place + 1);
                At::Start
            }
            At::Start | At::Plain | At::Closed if byte == delimiter => At::Start,
            At::Start | At::Plain | At::Closed => At::Plain,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ends_here: bool, expected: &[&str]) {
        let quoting = Some(Quoting { delimiter: b',', quote: b'"' });
        let found: Vec<&str> =
            records(text.as_bytes(), quoting, ends_here).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_record_is_a_line_and_the_last_may_lack_its_end() {
        check("a\nb\nc", false, &["a\n", "b\n"]);
        check("a\nb\nc", true, &["a\n", "b\n", "c"]);
        check("a\n\n", true, &["a\n", "\n"]);
        check("", true, &[]);
    }

    #[test]
    fn a_line_s_end_in_quotes_is_a_part_of_the_record() {
        check("1,\"a\nb\"\n2,c\n", false, &["1,\"a\nb\"\n", "2,c\n"]);
        check("\"a\"\"\n\"\nb\n", false, &["\"a\"\"\n\"\n", "b\n"]);
        check("\"\"\n\"\n\"\n", false, &["\"\"\n", "\"\n\"\n"]);
        check("1,\"a\nb", false, &[]);
        check("1,\"a\nb", true, &["1,\"a\nb"]);
    }

    #[test]
    fn a_quote_within_a_field_is_nothing_special() {
        check("5\" nail,1\n6\" nail,2\n", false, &["5\" nail,1\n", "6\" nail,2\n"]);
        check("5\"\" nail\n6\n", false, &["5\"\" nail\n", "6\n"]);
    }

    #[test]
    fn without_quotes_every_line_is_a_record() {
        let text = b"1,\"a\nb\"\n";
        assert_eq!(records(text, None, false), [0..5, 5..8]);
    }
}
