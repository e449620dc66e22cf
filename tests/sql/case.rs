//! Case files: sections that begin with `--- kind [name]`; see README.md.

/// A table with the rows that are read from it, in order.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    /// What stands between the parentheses of CREATE TABLE.
    pub columns: String,
    /// Cells as texts; none for NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// For a table of changes whether each row is added, else taken back.
    pub additions: Option<Vec<bool>>,
}

impl Input {
    /// Its CREATE TABLE.
    pub fn definition(&self) -> String {
        let format = if self.additions.is_some() { ", 'format' = 'debezium-json'" } else { "" };
        format!("CREATE TABLE {} ({}) WITH ('connector' = 'test'{format});\n", self.name, self.columns)
    }
}

/// A query with what it must give.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub sql: String,
    /// What DataFusion computes the rows with, if it can.
    pub batch: Option<String>,
    pub expected: Expected,
    /// A part of the message that the plan may refuse with what Flink computes; it may not give other rows.
    pub refused_here: Option<String>,
    pub arrival: Arrival,
}

/// What of the rows' arrival decides the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Any,
    /// Their order: one thread reads a table's rows.
    InOrder,
    /// Their order and the watermark after each: rows may be late.
    OneByOne,
}

#[derive(Debug)]
pub enum Expected {
    Rows {
        rows: Vec<Vec<String>>,
        types: Vec<String>,
        from: Oracle,
    },
    /// The query is refused with a message that holds this.
    Refused(String),
}

/// Who says what a query gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    Flink,
    Batch,
}

/// Expressions, each over the single row of a table or over none.
#[derive(Debug)]
pub struct Values {
    pub name: String,
    pub table: Option<String>,
    pub lines: Vec<Value>,
}

#[derive(Debug)]
pub struct Value {
    pub sql: String,
    /// The value and its type; none if it must fail, in the plan or when it is computed.
    pub expected: Option<(String, String)>,
    /// Whether the plan may refuse what Flink computes; it may not give another value.
    pub refused_here: bool,
}

/// A file of cases over the same tables.
#[derive(Debug, Default)]
pub struct File {
    pub inputs: Vec<Input>,
    /// Views and settings.
    pub definitions: String,
    pub cases: Vec<Case>,
    pub values: Vec<Values>,
}

/// Reads a file; says what is wrong with it.
pub fn parse(text: &str) -> Result<File, String> {
    let mut file = File::default();
    for section in text.split("\n--- ").skip(usize::from(!text.starts_with("--- "))) {
        let section = section.strip_prefix("--- ").unwrap_or(section);
        let (head, body) = section.split_once('\n').unwrap_or((section, ""));
        let (kind, name) = head.split_once(' ').unwrap_or((head, ""));
        let case = file.cases.last_mut().ok_or(format!("`{kind}` stands before the first query"));
        match kind {
            "table" | "changes" => file.inputs.push(Input {
                name: name.to_string(),
                columns: body.trim().to_string(),
                rows: Vec::new(),
                additions: (kind == "changes").then(Vec::new),
            }),
            "rows" => fill(file.inputs.last_mut().ok_or("rows stand before their table")?, body)?,
            "define" => file.definitions += body,
            "query" | "ordered" | "timed" => file.cases.push(Case {
                name: name.to_string(),
                sql: body.trim().to_string(),
                batch: None,
                expected: Expected::Refused("an expected result".to_string()),
                refused_here: None,
                arrival: match kind {
                    "query" => Arrival::Any,
                    "ordered" => Arrival::InOrder,
                    _ => Arrival::OneByOne,
                },
            }),
            "batch" => case?.batch = Some(body.trim().to_string()),
            "expect" => {
                let (from, types) = name.split_once(':').unwrap_or((name, ""));
                let from = match from {
                    "flink" => Oracle::Flink,
                    "batch" | "" => Oracle::Batch,
                    _ => {
                        return Err(format!(
                            "`{head}` does not say who expects it: write `expect flink` or `expect batch`"
                        ));
                    }
                };
                let case = case?;
                if from == Oracle::Batch && case.batch.is_none() {
                    return Err(format!("`{}` expects what a batch gives, but has none", case.name));
                }
                let cells = |row: Vec<Option<String>>| row.into_iter().map(|cell| cell.unwrap_or("NULL".to_string()));
                let rows = rows(body)?.into_iter().map(|row| cells(row).collect()).collect();
                let types = types.split(';').map(|part| part.trim().to_string()).filter(|part| !part.is_empty());
                case.expected = Expected::Rows { rows, types: types.collect(), from };
            }
            "refused" if name == "here" => case?.refused_here = Some(body.trim().to_string()),
            "refused" => case?.expected = Expected::Refused(body.trim().to_string()),
            "values" => file.values.push(values(name, body)?),
            other => return Err(format!("there is no section `{other}`")),
        }
    }
    Ok(file)
}

fn fill(input: &mut Input, body: &str) -> Result<(), String> {
    input.rows = rows(body)?;
    let Some(additions) = &mut input.additions else { return Ok(()) };
    for row in &mut input.rows {
        let first = (!row.is_empty()).then(|| row.remove(0)).flatten();
        additions.push(match first.as_deref() {
            Some("+") => true,
            Some("-") => false,
            _ => return Err(format!("a row of the changes {} begins with neither + nor -", input.name)),
        });
    }
    Ok(())
}

/// `values NAME [over TABLE]`, and lines of `expression => value :: type [(refused here)]` or `expression => fails`.
fn values(name: &str, body: &str) -> Result<Values, String> {
    let (name, table) = match name.split_once(" over ") {
        Some((name, table)) => (name, Some(table.to_string())),
        None => (name, None),
    };
    let lines = body.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let line = |line: &str| {
        let (sql, expected) = line.rsplit_once(" => ").ok_or(format!("`{line}` has no ` => value`"))?;
        let (expected, refused_here) = match expected.trim().strip_suffix(" (refused here)") {
            Some(expected) => (expected, true),
            None => (expected.trim(), false),
        };
        let expected = match expected {
            "fails" => None,
            value => {
                let (value, value_type) = value.rsplit_once(" :: ").ok_or(format!("`{line}` has no ` :: type`"))?;
                let value = cell(value)?.unwrap_or("NULL".to_string());
                Some((value, value_type.trim().to_string()))
            }
        };
        Ok::<Value, String>(Value { sql: sql.trim().to_string(), expected, refused_here })
    };
    Ok(Values { name: name.to_string(), table, lines: lines.map(line).collect::<Result<_, _>>()? })
}

fn rows(body: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let lines = body.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('|').map(cell).collect()).collect()
}

/// A cell: NULL, a text, or a text between double quotes, written as in JSON.
fn cell(text: &str) -> Result<Option<String>, String> {
    match text.trim() {
        "NULL" => Ok(None),
        quoted if quoted.starts_with('"') => {
            serde_json::from_str(quoted).map(Some).map_err(|error| format!("the cell {quoted}: {error}"))
        }
        text => Ok(Some(text.to_string())),
    }
}

/// A cell as it is written in a file.
pub fn written(text: &str) -> String {
    let odd = text.is_empty() || text.trim() != text || text.starts_with('"') || text.contains(['|', '\n', '\r']);
    if odd { serde_json::Value::from(text).to_string().replace('|', "\\u007c") } else { text.to_string() }
}
