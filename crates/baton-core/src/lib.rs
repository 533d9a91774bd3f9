//! The rules: accounts, quota windows, strategies, judging. Pure: no I/O, no clock, no async.
