//! What the benchmark's programs share: the rows of the generator with its default options, and this process's CPU time.

use tidemill_connectors::generator::page_views::{PageViewSpec, PageViews};

/// The generator's defaults: 5 million rows span 500 s of event time, fifty windows of ten seconds.
pub fn page_views(seed: u64) -> PageViews {
    PageViews::new(PageViewSpec {
        seed,
        pages: 1_000,
        start_ms: 1_767_225_600_000,
        events_per_second: 10_000,
        max_out_of_orderness_ms: 0,
    })
}

/// CPU seconds of this process so far, user and system.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_size_that_the_readme_tells() {
        let views = page_views(1);
        let mut json = Vec::new();
        let rows = 10_000;
        (0..rows).for_each(|row| views.json(row, &mut json));
        let average = json.len() / rows as usize;
        assert!((110..=150).contains(&average), "{average} bytes");
    }
}
