//! A Codex backend on loopback to test against: accounts with scripted quotas and faults.
