//! Which account a turn state belongs to: on a switch it must not come along (PROTOCOL §2). One that isn't known (of
//! before a restart) counts as foreign: dropping it costs a little speed, sending it elsewhere may cost the request.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use baton_core::AccountId;
use baton_wire::turn::id_hash;

/// Turn states remembered: one or two a running turn.
const REMEMBERED: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct TurnStates(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    accounts: HashMap<u64, AccountId>,
    oldest_first: VecDeque<u64>,
}

impl TurnStates {
    pub(super) fn remember(&self, state: &[u8], account: AccountId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = id_hash(state);
        if known.accounts.insert(key, account).is_none() {
            known.oldest_first.push_back(key);
        }
        while known.oldest_first.len() > REMEMBERED {
            if let Some(oldest) = known.oldest_first.pop_front() {
                known.accounts.remove(&oldest);
            }
        }
    }

    /// Of any account of the pool.
    pub(super) fn is_the_pools(&self, state: &[u8]) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.accounts.contains_key(&id_hash(state))
    }

    pub(super) fn belongs(&self, state: &[u8], account: AccountId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.accounts.get(&id_hash(state)) == Some(&account)
    }
}
