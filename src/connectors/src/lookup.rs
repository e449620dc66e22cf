//! The options of tables that rows are looked up in, by Flink's names. The engine keeps such a table in memory as a
//! whole: `lookup.cache` is `FULL`.

use std::time::Duration;

use tidemill_engine::connector::{Reload, Result};

use crate::options::Options;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupOptions {
    pub reload: Option<Reload>,
    /// How often a loading that failed is tried again before it counts as failed.
    pub max_retries: u32,
}

const RETRIES: u32 = 3;
const INTERVAL: &str = "lookup.full-cache.periodic-reload.interval";
const MODE: &str = "lookup.full-cache.periodic-reload.schedule-mode";

#[derive(Clone, Copy)]
enum Schedule {
    FixedDelay,
    FixedRate,
}

impl LookupOptions {
    pub fn read(options: &Options<'_>) -> Result<Self> {
        if let Some(cache @ ("NONE" | "PARTIAL")) = options.optional("lookup.cache") {
            let fault = "is not supported: files have no index, so each row would have all of them read";
            return Err(options.bad_value("lookup.cache", cache, fault, "`FULL`"));
        }
        options.choice("lookup.cache", &[("FULL", ())])?;
        for name in ["expire-after-access", "expire-after-write", "cache-missing-key", "max-rows"] {
            let name = format!("lookup.partial-cache.{name}");
            options.refuse(&name, "the table is kept in memory as a whole", "leave it out")?;
        }
        for name in ["iso-time", "interval-in-days"] {
            let name = format!("lookup.full-cache.timed-reload.{name}");
            options.refuse(&name, "tables are loaded anew by interval only", &format!("set `{INTERVAL}`"))?;
        }
        options.choice("lookup.full-cache.reload-strategy", &[("PERIODIC", ())])?;
        let modes = [("FIXED_DELAY", Schedule::FixedDelay), ("FIXED_RATE", Schedule::FixedRate)];
        let mode = options.choice(MODE, &modes)?.unwrap_or(Schedule::FixedDelay);
        let interval = options.duration(INTERVAL)?;
        if interval == Some(Duration::ZERO) {
            return Err(options.bad_value(INTERVAL, "0", "is too short", "one such as `10 min`"));
        }
        let reload = interval.map(|interval| match mode {
            Schedule::FixedDelay => Reload::After(interval),
            Schedule::FixedRate => Reload::Every(interval),
        });
        let max_retries = options.parsed::<u32>("lookup.max-retries", "a whole number")?.unwrap_or(RETRIES);
        Ok(Self { reload, max_retries })
    }
}

#[cfg(test)]
mod tests {
    use tidemill_plan::Table;

    use super::*;

    fn read(options: &[(&str, &str)]) -> std::result::Result<LookupOptions, String> {
        let table = Table {
            name: "t".to_string(),
            connector: "filesystem".to_string(),
            options: options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            ..Default::default()
        };
        let options = Options::new(&table);
        let read = LookupOptions::read(&options).and_then(|read| options.finish().map(|()| read));
        read.map_err(|problem| format!("{}; {}", problem.message, problem.remedy))
    }

    #[test]
    fn a_table_is_loaded_once_or_by_interval() {
        assert_eq!(read(&[]), Ok(LookupOptions { reload: None, max_retries: 3 }));
        let hourly = Duration::from_secs(3600);
        assert_eq!(read(&[("lookup.cache", "FULL"), (INTERVAL, "1 h")]).unwrap().reload, Some(Reload::After(hourly)));
        let rate = read(&[(INTERVAL, "1 h"), (MODE, "FIXED_RATE"), ("lookup.max-retries", "0")]).unwrap();
        assert_eq!(rate, LookupOptions { reload: Some(Reload::Every(hourly)), max_retries: 0 });
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_reason() {
        let refused = |name: &str, value: &str| read(&[(name, value)]).unwrap_err();
        assert!(refused("lookup.cache", "PARTIAL").contains("no index"));
        assert!(refused("lookup.partial-cache.max-rows", "10").contains("as a whole"));
        assert!(
            refused("lookup.full-cache.timed-reload.iso-time", "10:15").contains("set `lookup.full-cache.periodic")
        );
        assert!(refused("lookup.full-cache.reload-strategy", "TIMED").contains("PERIODIC"));
        assert!(refused(INTERVAL, "0 s").contains("too short"));
    }
}
