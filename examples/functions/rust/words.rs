//! A table function, the words of a text with their lengths in characters, and a scalar one. Built by `../build.sh`.

mod tidemill;

use tidemill::{Batch, Column};

#[unsafe(export_name = "words(STRING) -> TABLE(word STRING, length INT)")]
pub extern "C" fn words(arguments: &Batch) -> *const Batch {
    let texts = arguments.column(0);
    let (mut of, mut words) = (Vec::new(), Vec::new());
    for row in 0..arguments.rows {
        for word in texts.text(row as usize).unwrap_or_default().split_whitespace() {
            of.push(row);
            words.push(word);
        }
    }
    let lengths = words.iter().map(|word| Some(word.chars().count() as i32));
    let columns = [Column::of_texts(words.iter().copied().map(Some)), Column::of_numbers(lengths)];
    tidemill::rows(of, columns)
}

#[unsafe(export_name = "initials(STRING) -> STRING")]
pub extern "C" fn initials(arguments: &Batch) -> *const Batch {
    let texts = arguments.column(0);
    let initials = |text: &str| text.split_whitespace().filter_map(|word| word.chars().next()).collect::<String>();
    let values = (0..arguments.rows as usize).map(|row| texts.text(row).map(initials));
    tidemill::value(arguments.rows, Column::of_texts(values))
}
