//! SQL in both dialects: Flink's, which the stream runs, and DataFusion's, which the batch runs.

/// A piece of SQL as each side writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sql {
    pub stream: String,
    pub batch: String,
}

impl Sql {
    /// Each written its own way; `{0}` stands for the first part, and so on.
    pub fn each(stream: &str, batch: &str, parts: &[&Sql]) -> Self {
        let fill = |template: &str, part: fn(&Sql) -> &str| {
            let mut text = String::with_capacity(template.len() * 2);
            let mut pieces = template.split('{');
            text.push_str(pieces.next().unwrap_or_default());
            for piece in pieces {
                let (place, rest) = piece.split_once('}').expect("templates close what they open");
                let place: usize = place.parse().expect("templates number their parts");
                text.push_str(part(parts[place]));
                text.push_str(rest);
            }
            text
        };
        Self { stream: fill(stream, |sql| &sql.stream), batch: fill(batch, |sql| &sql.batch) }
    }

    /// Both written the same way.
    pub fn both(template: &str, parts: &[&Sql]) -> Self {
        Self::each(template, template, parts)
    }

    pub fn text(text: impl Into<String>) -> Self {
        let stream = text.into();
        Self { batch: stream.clone(), stream }
    }

    pub fn list(parts: &[Sql], between: &str) -> Self {
        let join = |part: fn(&Sql) -> &str| parts.iter().map(part).collect::<Vec<_>>().join(between);
        Self { stream: join(|sql| &sql.stream), batch: join(|sql| &sql.batch) }
    }

    pub fn is_empty(&self) -> bool {
        self.stream.is_empty() && self.batch.is_empty()
    }
}

/// A length of time.
pub fn interval(ms: i64) -> Sql {
    let seconds = match ms % 1000 {
        0 => format!("{}", ms / 1000),
        rest => format!("{}.{rest:03}", ms / 1000),
    };
    Sql { stream: format!("INTERVAL '{seconds}' SECOND"), batch: format!("INTERVAL '{ms} milliseconds'") }
}

/// A moment as text.
pub fn moment(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).expect("the time is near enough");
    moment.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}
