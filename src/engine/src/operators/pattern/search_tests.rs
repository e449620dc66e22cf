//! The search over rows given as letters: a row `bc` can be taken for B and for C.

use super::nfa::{Holds, Nfa};
use super::notation::pattern;
use super::search::{Match, Rules, Search, Skip, SkipFault};

fn rules(text: &str, after: Skip, within_ms: Option<i64>) -> Rules {
    Rules { nfa: Nfa::compile(&pattern(text)).unwrap(), after, within_ms, forgetful: true }
}

fn holds(letters: &str) -> Holds {
    letters.bytes().filter(u8::is_ascii_lowercase).fold(0, |holds, letter| holds | 1 << (letter - b'a'))
}

/// The matches, as `A0 B1-2`: the rows that each variable has taken. A row's time is its number.
fn found(rules: &Rules, rows: &str) -> Result<String, SkipFault> {
    let (mut search, mut matches) = (Search::default(), Vec::new());
    for (row, letters) in rows.split_whitespace().enumerate() {
        search.expire(rules, row as i64, &mut matches)?;
        let holds = vec![holds(letters); search.offer_count()];
        search.step(rules, (row as u64, row as i64), &holds, &mut matches)?;
    }
    Ok(matches.iter().map(|found| text(rules, found)).collect::<Vec<_>>().join(" | "))
}

fn text(rules: &Rules, found: &Match) -> String {
    let runs = (0..rules.nfa.len()).map(|element| (element, found.view().rows(Some(element))));
    let runs = runs.filter(|(_, rows)| !rows.is_empty()).map(|(element, rows)| {
        let name = char::from(b'A' + element as u8);
        match rows.end - rows.start {
            1 => format!("{name}{}", rows.start),
            _ => format!("{name}{}-{}", rows.start, rows.end - 1),
        }
    });
    runs.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(text: &str, rows: &str, expected: &str) {
    assert_eq!(found(&rules(text, Skip::PastLastRow, None), rows).as_deref(), Ok(expected), "{text} in {rows}");
}

#[track_caller]
fn check_skip(text: &str, after: Skip, rows: &str, expected: Result<&str, SkipFault>) {
    let found = found(&rules(text, after, None), rows);
    assert_eq!(found.as_deref().map_err(|fault| *fault), expected, "{text} {after:?} in {rows}");
}

#[test]
fn rows_follow_each_other_without_gaps() {
    check("A B C", "a b c a b x c a b c", "A0 B1 C2 | A7 B8 C9");
}

#[test]
fn greedy_takes_as_many_as_it_can() {
    check("A B+ C", "a b b c", "A0 B1-2 C3");
    check("A B+ C", "a b bc c", "A0 B1-2 C3");
    check("A B* C", "a c", "A0 C1");
    check("A B* C", "a bc b bc x c", "");
    check("A{2,3} B", "a a a a b", "A1-3 B4");
    check("A{2,} B", "a a a a b", "A0-3 B4");
}

#[test]
fn reluctant_takes_as_few_as_it_can() {
    check("A B+? C", "a b bc c", "A0 B1 C2");
    check("A B*? C", "a bc c", "A0 C1");
    check("A B+?", "a b b b", "A0 B1");
    check("A{2,4}?", "a a a a a", "A0-1 | A2-3");
}

#[test]
fn an_optional_variable_is_taken_only_if_the_match_needs_it() {
    check("A B? C", "a b c a c", "A0 B1 C2 | A3 C4");
    check("A B? C", "a bc c", "A0 C1");
    check("A B?", "a b", "A0");
}

#[test]
fn a_row_may_fit_several_variables() {
    check("A B C", "abc abc abc", "A0 B1 C2");
    check("A+ B", "a ab ab b", "A0-2 B3");
    check("A*? B*? C", "ab ab c", "B0-1 C2");
}

/// The matches of `A B* C` when the second row begins a match that the fourth completes, while the first row's takes the
/// fourth for B and, depending on `fifth`, takes the fifth for C or not at all.
fn overtaken(after: Skip, fifth: &str) -> String {
    let rules = Rules { forgetful: false, ..rules("A B* C", after, None) };
    let (mut search, mut matches) = (Search::default(), Vec::new());
    let rows: [&[&str]; 5] = [&["a"], &["b", "a"], &["b", "b", ""], &["b", "c", ""], &[fifth, ""]];
    for (row, offers) in rows.into_iter().enumerate() {
        assert!(matches.is_empty(), "nothing is put out before row {row}");
        let holds: Vec<Holds> = offers.iter().map(|letters| holds(letters)).collect();
        assert_eq!(search.offer_count(), holds.len());
        search.step(&rules, (row as u64, 0), &holds, &mut matches).unwrap();
    }
    matches.iter().map(|found| text(&rules, found)).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_complete_match_waits_for_one_that_began_earlier() {
    assert_eq!(overtaken(Skip::PastLastRow, "x"), "A1 B2 C3", "the earlier one has failed");
    assert_eq!(overtaken(Skip::PastLastRow, "c"), "A0 B1-3 C4", "the earlier one skips it");
    assert_eq!(overtaken(Skip::ToNextRow, "c"), "A0 B1-3 C4 | A1 B2 C3");
    assert_eq!(overtaken(Skip::ToFirst(1), "c"), "A0 B1-3 C4 | A1 B2 C3");
    assert_eq!(overtaken(Skip::ToLast(1), "c"), "A0 B1-3 C4");
}

#[test]
fn a_complete_match_waits_for_an_earlier_one_until_that_is_too_old() {
    let waiting = |within_ms| {
        let rules = Rules { forgetful: false, ..rules("A B* C", Skip::PastLastRow, within_ms) };
        let (mut search, mut matches) = (Search::default(), Vec::new());
        let rows: [&[&str]; 3] = [&["a"], &["b", "a"], &["b", "c", ""]];
        for (row, offers) in rows.into_iter().enumerate() {
            let holds: Vec<Holds> = offers.iter().map(|letters| holds(letters)).collect();
            search.step(&rules, (row as u64, row as i64), &holds, &mut matches).unwrap();
        }
        search.expire(&rules, i64::MAX, &mut matches).unwrap();
        matches.iter().map(|found| text(&rules, found)).collect::<Vec<_>>().join(" | ")
    };
    assert_eq!((waiting(None), waiting(Some(10))), (String::new(), "A1 C2".to_string()));
}

#[test]
fn the_search_goes_on_where_it_is_told() {
    let rows = "a a b b c";
    check_skip("A+ B+ C", Skip::PastLastRow, rows, Ok("A0-1 B2-3 C4"));
    check_skip("A+ B+ C", Skip::ToNextRow, rows, Ok("A0-1 B2-3 C4 | A1 B2-3 C4"));
    check_skip("A+ B+ C", Skip::ToLast(0), rows, Err(SkipFault::FirstRow(0)));
    check_skip("A B C", Skip::ToLast(2), "a b ca b c", Ok("A0 B1 C2 | A2 B3 C4"));
    check_skip("A B+ C", Skip::ToFirst(1), "a b b c a b c", Ok("A0 B1-2 C3 | A4 B5 C6"));
    check_skip("A B+ C", Skip::ToLast(1), "a ab ab c", Ok("A0 B1-2 C3"));
}

#[test]
fn a_skip_that_cannot_be_made_is_reported() {
    check_skip("A B C", Skip::ToFirst(0), "a b c", Err(SkipFault::FirstRow(0)));
    check_skip("A+ B", Skip::ToLast(0), "a b", Err(SkipFault::FirstRow(0)));
    check_skip("A B? C", Skip::ToFirst(1), "a c", Err(SkipFault::NoSuchRow(1)));
}

#[test]
fn a_match_that_takes_too_long_is_none() {
    let within = |rows: &str| found(&rules("A B* C", Skip::PastLastRow, Some(3)), rows).unwrap();
    assert_eq!(within("a b c"), "A0 B1 C2");
    assert_eq!(within("a b b c"), "");
    assert_eq!(within("a b ab b c"), "A2 B3 C4");
}

/// The most partial matches that there are at a time.
fn most_offers(rules: &Rules, rows: impl Iterator<Item = &'static str>) -> usize {
    let (mut search, mut most) = (Search::default(), 0);
    for (row, letters) in rows.enumerate() {
        most = most.max(search.offer_count());
        let holds = vec![holds(letters); search.offer_count()];
        search.step(rules, (row as u64, row as i64), &holds, &mut Vec::new()).unwrap();
    }
    most
}

#[test]
fn partial_matches_without_a_future_of_their_own_are_not_kept() {
    let rows = || std::iter::repeat_n("ab", 1000);
    assert_eq!(most_offers(&rules("A+ B+? C", Skip::PastLastRow, None), rows()), 2, "greedy A takes all");
    assert_eq!(most_offers(&rules("A+? B+? C", Skip::PastLastRow, None), rows()), 3, "one in A, one in B, a new one");
    let apart = rules("A+? B+? C", Skip::ToNextRow, None);
    assert_eq!(most_offers(&apart, rows().take(10)), 18, "each row begins one of its own");
}
