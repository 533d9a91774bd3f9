//! Labels and clock times as people know them.

use baton_core::{AccountId, Pool, Timestamp, explain::Words};

#[derive(Debug)]
pub struct PoolWords<'a> {
    pool: &'a Pool,
    now: Timestamp,
}

impl<'a> PoolWords<'a> {
    pub fn new(pool: &'a Pool, now: Timestamp) -> Self {
        Self { pool, now }
    }
}

impl Words for PoolWords<'_> {
    fn label(&self, account: AccountId) -> String {
        let state = self.pool.account(account);
        state.map_or_else(
            || format!("account {account} (removed)"),
            |state| state.account.label.to_string(),
        )
    }

    fn time(&self, at: Timestamp) -> String {
        clock_time(at, self.now)
    }
}

/// `20 min ago`, in the largest unit that says enough.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at).as_secs() / 60 {
        minutes @ 0..120 => format!("{minutes} min ago"),
        minutes @ 120..2880 => format!("{} h ago", minutes / 60),
        minutes => format!("{} d ago", minutes / 1440),
    }
}

/// In the machine's time zone: `16:40` within a day, `Tue 16:40` within a week, a date beyond.
pub fn clock_time(at: Timestamp, now: Timestamp) -> String {
    let local = |at: Timestamp| jiff::Timestamp::from_millisecond(at.as_millis()).ok();
    let Some(when) = local(at) else {
        return "in the far future".to_owned();
    };
    let when = when.to_zoned(jiff::tz::TimeZone::system());
    let away = at.since(now).max(now.since(at));
    let format = match away.as_secs() {
        0..72_000 => "%H:%M",
        72_000..518_400 => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    when.strftime(format).to_string()
}
