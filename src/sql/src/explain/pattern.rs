//! MATCH_RECOGNIZE as text.

use arrow_schema::{DataType, Field, Schema};
use tidemill_plan::{AfterMatch, Expression, MatchRecognize, Pattern, PatternExpression, Position, Reference};

use super::call::function;
use super::expression::{column, text};
use super::operator::{columns, duration, sort_order};

pub(super) fn details(matches: &MatchRecognize, input: &Schema) -> Vec<String> {
    let name = |place: usize| matches.variables.get(place).map_or("?", |variable| variable.name.as_str());
    let value = |value: &PatternExpression| {
        let read =
            value.references.iter().map(|found| Field::new(reference(found, input, &name), DataType::Null, true));
        text(&value.expression, &Schema::new(read.collect::<Vec<_>>()))
    };
    let mut lines = vec![
        format!("partition: {}", columns(&matches.partition, input)),
        format!("time: {}", column(matches.time_column, input)),
    ];
    if !matches.then.is_empty() {
        lines.push(format!("then {}", sort_order(&matches.then, input)));
    }
    lines.push(format!("pattern: {}", pattern(&matches.pattern, &name)));
    lines.extend(matches.within_ms.map(|within| format!("within: {}", duration(within))));
    for variable in &matches.variables {
        lines.extend(variable.condition.as_ref().map(|condition| format!("{}: {}", variable.name, value(condition))));
    }
    lines.extend(
        matches.measures.iter().map(|measure| format!("measure: {} AS {}", value(&measure.value), measure.name)),
    );
    lines.push(match matches.after_match {
        AfterMatch::PastLastRow => "goes on: after the match".to_string(),
        AfterMatch::ToNextRow => "goes on: at the match's second row".to_string(),
        AfterMatch::ToFirst(variable) => format!("goes on: at the first {}", name(variable)),
        AfterMatch::ToLast(variable) => format!("goes on: at the last {}", name(variable)),
    });
    lines
}

fn pattern<'a>(of: &Pattern, name: &impl Fn(usize) -> &'a str) -> String {
    match of {
        Pattern::Variable(variable) => name(*variable).to_string(),
        Pattern::Sequence(parts) => parts.iter().map(|part| pattern(part, name)).collect::<Vec<_>>().join(" "),
        Pattern::Repeat { pattern: part, least, most, greedy } => {
            let most = most.map(|most| most.to_string()).unwrap_or_default();
            let reluctant = if *greedy { "" } else { "?" };
            format!("{}{{{least},{most}}}{reluctant}", pattern(part, name))
        }
    }
}

fn reference<'a>(of: &Reference, input: &Schema, name: &impl Fn(usize) -> &'a str) -> String {
    let of_variable = |variable: &Option<usize>, value: Option<&Expression>| {
        let value = value.map_or("*".to_string(), |value| text(value, input));
        variable.map_or(value.clone(), |place| format!("{}.{value}", name(place)))
    };
    match of {
        Reference::Row { variable, position, value } => {
            let value = of_variable(variable, Some(value));
            match position {
                Position::First(offset) => format!("FIRST({value}, {offset})"),
                Position::Last(0) => value,
                Position::Last(offset) => format!("LAST({value}, {offset})"),
                Position::Before(offset) => format!("PREV({value}, {offset})"),
            }
        }
        Reference::Aggregate { variable, function: of, argument, distinct } => {
            let distinct = if *distinct { "DISTINCT " } else { "" };
            format!("{}({distinct}{})", function(of), of_variable(variable, argument.as_ref()))
        }
    }
}
