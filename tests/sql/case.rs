//! Case files: sections that begin with `--- kind [name]`; see README.md.

/// A table with the rows that are read from it, in order.
#[derive(Debug)]
pub struct Input {
    pub name: String,
    /// What stands between the parentheses of CREATE TABLE.
    pub columns: String,
    /// Cells as texts; none for NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A query with what it must give.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub sql: String,
    /// What DataFusion computes the rows with; none if it is the query itself.
    pub batch: Option<String>,
    pub expected: Expected,
    /// Whether the rows' order of arrival decides the result.
    pub ordered: bool,
}

#[derive(Debug)]
pub enum Expected {
    Rows(Vec<Vec<String>>),
    /// The query is refused with a message that holds this.
    Refused(String),
}

/// A file of cases over the same tables.
#[derive(Debug, Default)]
pub struct File {
    pub inputs: Vec<Input>,
    /// Views and settings.
    pub definitions: String,
    pub cases: Vec<Case>,
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
            "table" => {
                file.inputs.push(Input { name: name.to_string(), columns: body.trim().to_string(), rows: Vec::new() })
            }
            "rows" => file.inputs.last_mut().ok_or("rows stand before their table")?.rows = rows(body),
            "define" => file.definitions += body,
            "query" | "ordered" => file.cases.push(Case {
                name: name.to_string(),
                sql: body.trim().to_string(),
                batch: None,
                expected: Expected::Rows(Vec::new()),
                ordered: kind == "ordered",
            }),
            "batch" => case?.batch = Some(body.trim().to_string()),
            "expect" => {
                let rows = rows(body).into_iter();
                let texts = rows.map(|row| row.into_iter().map(|cell| cell.unwrap_or("NULL".to_string())).collect());
                case?.expected = Expected::Rows(texts.collect());
            }
            "refused" => case?.expected = Expected::Refused(body.trim().to_string()),
            other => return Err(format!("there is no section `{other}`")),
        }
    }
    Ok(file)
}

fn rows(body: &str) -> Vec<Vec<Option<String>>> {
    let cell = |cell: &str| Some(cell.trim().to_string()).filter(|text| text != "NULL");
    let lines = body.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('|').map(cell).collect()).collect()
}
