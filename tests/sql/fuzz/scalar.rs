//! Random values: scalar expressions of a wanted type over the values in sight.

use super::Generator;
use super::tables::Kind;
use super::text::{Sql, interval, moment};

/// A moment of the day that Flink takes a moment for: what is before 1970 is cut towards it.
const BATCH_DAY: &str = "CASE WHEN {0} < TIMESTAMP '1970-01-01 00:00:00' \
                         THEN {0} + INTERVAL '86399999 milliseconds' ELSE {0} END";

/// Something that an expression may use.
#[derive(Clone, Debug)]
pub struct Value {
    pub sql: Sql,
    pub kind: Kind,
}

impl Value {
    pub fn new(sql: Sql, kind: Kind) -> Self {
        Self { sql, kind }
    }
}

impl Generator<'_> {
    /// A value of a kind, by so many steps at most.
    pub fn value(&mut self, over: &[Value], kind: Kind, steps: usize) -> Sql {
        if steps == 0 || self.choices.below(3) == 0 {
            return self.leaf(over, kind);
        }
        let steps = steps - 1;
        match self.choices.below(6) {
            0 => return self.leaf(over, kind),
            1 => {
                let (condition, one) = (self.condition(over, steps), self.value(over, kind, steps));
                return match self.choices.below(2) {
                    0 => Sql::both("CASE WHEN {0} THEN {1} END", &[&condition, &one]),
                    _ => {
                        let other = self.value(over, kind, steps);
                        Sql::both("CASE WHEN {0} THEN {1} ELSE {2} END", &[&condition, &one, &other])
                    }
                };
            }
            2 => {
                let (one, other) = (self.value(over, kind, steps), self.value(over, kind, steps));
                let call = self.choices.pick(&["COALESCE({0}, {1})", "NULLIF({0}, {1})"]);
                return Sql::both(call, &[&one, &other]);
            }
            _ => {}
        }
        match kind {
            Kind::Int => self.int(over, steps),
            Kind::Big => {
                let (one, other) = (self.value(over, Kind::Big, steps), self.value(over, Kind::Int, steps));
                let form = self.choices.pick(&["CAST({1} AS BIGINT)", "({0} + {1})", "({0} - {1})", "ABS({0})"]);
                Sql::both(form, &[&one, &other])
            }
            Kind::Double => {
                let (one, other) = (self.value(over, Kind::Double, steps), self.value(over, Kind::Int, steps));
                let forms = ["CAST({1} AS DOUBLE)", "({0} + {1})", "({0} - 0.5E0)", "({0} * 0.5E0)", "ABS({0})"];
                Sql::both(self.choices.pick(&forms), &[&one, &other])
            }
            Kind::Decimal => {
                let (one, other) = (self.value(over, Kind::Decimal, steps), self.value(over, Kind::Int, steps));
                let forms = ["CAST({1} AS DECIMAL(9, 2))", "CAST({0} + {0} AS DECIMAL(9, 2))", "ABS({0})"];
                Sql::both(self.choices.pick(&forms), &[&one, &other])
            }
            Kind::Odd => self.leaf(over, kind),
            Kind::Text => self.string(over, steps),
            Kind::Bool => self.condition(over, steps),
            Kind::Time => {
                let one = self.value(over, Kind::Time, steps);
                let length = interval(1000 * self.choices.below(20) as i64);
                match self.choices.below(3) {
                    0 => Sql::both("({0} + {1})", &[&one, &length]),
                    1 => Sql::both("({0} - {1})", &[&one, &length]),
                    _ => Sql::each("FLOOR({0} TO MINUTE)", "date_trunc('minute', {0})", &[&one]),
                }
            }
            Kind::Date => {
                let one = self.value(over, Kind::Time, steps);
                Sql::each("CAST({0} AS DATE)", &format!("CAST({BATCH_DAY} AS DATE)"), &[&one])
            }
        }
    }

    fn leaf(&mut self, over: &[Value], kind: Kind) -> Sql {
        let fitting: Vec<&Value> = over.iter().filter(|value| value.kind == kind).collect();
        if !fitting.is_empty() && !self.choices.once_in(5) {
            return self.choices.pick(&fitting).sql.clone();
        }
        if self.choices.once_in(8) {
            let each = |name: &str| format!("CAST(NULL AS {name})");
            return Sql { stream: each(kind.stream_type()), batch: each(kind.batch_type()) };
        }
        self.literal(kind)
    }

    pub fn literal(&mut self, kind: Kind) -> Sql {
        let base_ms = self.base_ms;
        let mut cell = || kind.cell(self.choices, base_ms);
        match kind {
            Kind::Int => Sql::text(format!("({})", cell())),
            Kind::Big => Sql::text(format!("CAST({} AS BIGINT)", cell())),
            Kind::Double => Sql::text(format!("({}E0)", cell())),
            Kind::Odd => Sql::text(format!("CAST('{}' AS DOUBLE)", cell())),
            Kind::Decimal => Sql::text(format!("CAST({} AS DECIMAL(9, 2))", cell())),
            Kind::Text => Sql::text(format!("'{}'", cell())),
            Kind::Bool => Sql::text(cell().to_uppercase()),
            Kind::Time => {
                let at = self.base_ms + 1000 * self.choices.below(40) as i64;
                Sql::text(format!("TIMESTAMP '{}'", moment(at)))
            }
            Kind::Date => Sql::text(format!("DATE '{}'", cell())),
        }
    }

    fn int(&mut self, over: &[Value], steps: usize) -> Sql {
        let one = self.value(over, Kind::Int, steps);
        match self.choices.below(7) {
            0 => {
                let other = self.value(over, Kind::Int, steps);
                Sql::both(self.choices.pick(&["({0} + {1})", "({0} - {1})"]), &[&one, &other])
            }
            1 => Sql::both(self.choices.pick(&["({0} * 2)", "({0} / 2)", "({0} / 3)", "(- {0})"]), &[&one]),
            2 => Sql::each("MOD({0}, 3)", "({0} % 3)", &[&one]),
            3 => Sql::both("ABS({0})", &[&one]),
            4 => {
                let text = self.value(over, Kind::Text, steps);
                Sql::both("CHAR_LENGTH({0})", &[&text])
            }
            5 => {
                let condition = self.condition(over, steps);
                Sql::both("CASE WHEN {0} THEN 1 ELSE 0 END", &[&condition])
            }
            _ => {
                let time = self.value(over, Kind::Time, steps);
                let part = self.choices.pick(&["MINUTE", "HOUR", "DAY", "YEAR"]);
                let batch = match part {
                    "MINUTE" => "CAST(date_part('epoch', {0}) AS BIGINT) / 60 % 60".to_string(),
                    "HOUR" => "CAST(date_part('epoch', {0}) AS BIGINT) / 3600 % 24".to_string(),
                    part => format!("EXTRACT({part} FROM {BATCH_DAY})"),
                };
                let stream = format!("CAST(EXTRACT({part} FROM {{0}}) AS INT)");
                Sql::each(&stream, &format!("CAST({batch} AS INT)"), &[&time])
            }
        }
    }

    fn string(&mut self, over: &[Value], steps: usize) -> Sql {
        let one = self.value(over, Kind::Text, steps);
        match self.choices.below(7) {
            0 => {
                let other = self.value(over, Kind::Text, steps);
                Sql::both("({0} || {1})", &[&one, &other])
            }
            1 => Sql::both(self.choices.pick(&["UPPER({0})", "LOWER({0})", "REVERSE({0})"]), &[&one]),
            2 => Sql::each("SUBSTRING({0} FROM 1 FOR 2)", "left({0}, 2)", &[&one]),
            3 => Sql::both("REPLACE({0}, 'a', 'x')", &[&one]),
            4 => Sql::both("LPAD({0}, 3, '-')", &[&one]),
            5 => Sql::both("TRIM({0})", &[&one]),
            _ => {
                let number = self.value(over, Kind::Int, steps);
                Sql::each("CAST({0} AS STRING)", "CAST({0} AS VARCHAR)", &[&number])
            }
        }
    }

    /// Something that is true, false or unknown.
    pub fn condition(&mut self, over: &[Value], steps: usize) -> Sql {
        let steps = steps.saturating_sub(1);
        match self.choices.below(if steps == 0 { 5 } else { 9 }) {
            0 => self.comparison(over, steps),
            1 => {
                let fitting: Vec<&Value> = over.iter().collect();
                if fitting.is_empty() {
                    return self.comparison(over, steps);
                }
                let value = self.choices.pick(&fitting).sql.clone();
                Sql::both(self.choices.pick(&["({0} IS NOT NULL)", "({0} IS NULL)"]), &[&value])
            }
            2 => self.leaf(over, Kind::Bool),
            3 => {
                let value = self.value(over, Kind::Text, steps);
                Sql::both(self.choices.pick(&["({0} LIKE 'a%')", "({0} LIKE '_b')", "({0} NOT LIKE '%b%')"]), &[&value])
            }
            4 => {
                let value = self.value(over, Kind::Int, steps);
                let forms = [
                    "({0} BETWEEN 0 AND 3)",
                    "({0} IN (1, 2, 5))",
                    "({0} NOT IN (1, 2))",
                    "({0} NOT BETWEEN -1 AND 1)",
                ];
                Sql::both(self.choices.pick(&forms), &[&value])
            }
            5 => {
                let (one, other) = (self.condition(over, steps), self.condition(over, steps));
                Sql::both(self.choices.pick(&["({0} AND {1})", "({0} OR {1})"]), &[&one, &other])
            }
            6 => {
                let condition = self.condition(over, steps);
                Sql::both("(NOT ({0}))", &[&condition])
            }
            7 => {
                let condition = self.condition(over, steps);
                let forms = ["(({0}) IS TRUE)", "(({0}) IS NOT TRUE)", "(({0}) IS FALSE)", "(({0}) IS NOT FALSE)"];
                Sql::both(self.choices.pick(&forms), &[&condition])
            }
            _ => {
                let kind = self.a_kind_of(over);
                let (one, other) = (self.value(over, kind, steps), self.value(over, kind, steps));
                let forms = ["({0} IS DISTINCT FROM {1})", "({0} IS NOT DISTINCT FROM {1})"];
                Sql::both(self.choices.pick(&forms), &[&one, &other])
            }
        }
    }

    fn comparison(&mut self, over: &[Value], steps: usize) -> Sql {
        let kind = match self.a_kind_of(over) {
            Kind::Bool => Kind::Int,
            other => other,
        };
        let (one, other) = (self.value(over, kind, steps), self.value(over, kind, steps));
        let operator = Sql::text(self.choices.pick(&[">", "=", "<>", "<", "<=", ">="]));
        Sql::both("({0} {1} {2})", &[&one, &operator, &other])
    }

    fn a_kind_of(&mut self, over: &[Value]) -> Kind {
        match over {
            [] => Kind::Int,
            values => self.choices.pick(values).kind,
        }
    }
}
