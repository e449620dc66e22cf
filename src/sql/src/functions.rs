//! The table of all functions, for the documentation. What it lists comes from the places that planning asks, too.

use std::fmt::Write;

use tidemill_plan::functions::{Function, SECTIONS, about, all};

use crate::bind::{AGGREGATES, EXTRACTS, SPECIAL};

/// All functions as Markdown: how they are called, and a line on each.
pub fn reference() -> String {
    let mut text = String::from(HEAD);
    let section = |text: &mut String, name: &str, rows: Vec<(String, String)>| {
        let _ = write!(text, "\n## {name}\n\n| call | what it gives |\n|---|---|\n");
        for (usage, line) in rows {
            let _ = writeln!(text, "| `{}` | {line} |", usage.replace('|', "\\|"));
        }
    };
    section(&mut text, "Conditions, types and parts", SPECIAL.iter().map(row).collect());
    for (name, functions) in SECTIONS {
        let known = all().iter().filter(|function| functions.iter().any(|(listed, _)| *listed == function.name));
        let mut rows: Vec<(String, String)> = known.map(described).collect();
        if *name == "Dates and times" {
            let parts = EXTRACTS.iter().map(|(name, unit)| {
                (format!("{}(time)", name.to_uppercase()), format!("short for `EXTRACT({unit} FROM time)`"))
            });
            rows.extend(parts);
        }
        section(&mut text, name, rows);
    }
    section(&mut text, "Aggregates", AGGREGATES.iter().map(|(_, _, usage, line)| row(&("", *usage, *line))).collect());
    text
}

const HEAD: &str = "# Functions\n\n\
    Names, arguments, results and NULLs are those of Flink SQL. A call that fits none of these is refused with its place in the\n\
    text. Unless a line says otherwise, a function gives NULL where an argument is NULL. Functions of your own come in by\n\
    CREATE FUNCTION, from WebAssembly modules: see [examples/functions](../../examples/functions).\n\n\
    Written by `UPDATE_FUNCTIONS=1 cargo test -p tidemill-sql --test functions`; that test tells when it is old.\n";

fn row((_, usage, line): &(&str, &str, &str)) -> (String, String) {
    (usage.to_string(), line.to_string())
}

fn described(function: &Function) -> (String, String) {
    let line = about(function.name).unwrap_or_default();
    let aliases: Vec<String> = function.aliases.iter().map(|alias| format!("`{}`", alias.to_uppercase())).collect();
    let also = if aliases.is_empty() { String::new() } else { format!("; also {}", aliases.join(", ")) };
    (function.usage.to_string(), format!("{line}{also}"))
}
