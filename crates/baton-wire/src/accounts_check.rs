//! `GET wham/accounts/check`, the CLI's question before its first model request (PROTOCOL §1).

use serde_json::{Value, json};

use crate::lenient;

const NO_CONSTRAINT: &str = "NO_CONSTRAINT";

/// More accounts than this in one answer are ignored.
const MAX_ACCOUNTS: usize = 256;

/// Where an account's requests must go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// Value of the request header `x-openai-account-routing-override`: `us`, `us_cr`.
    pub override_: Option<Box<str>>,
    /// A backend origin of its own.
    pub origin: Option<Box<str>>,
}

/// The routing of `account_id`; `NO_CONSTRAINT` is `None`. The outer `None`: no such account, or no such body.
pub fn routing(body: &[u8], account_id: &str) -> Option<Routing> {
    read(body)?
        .into_iter()
        .find(|(id, _)| **id == *account_id)
        .map(|(_, routing)| routing)
}

/// The routing of each account in the body; `None` if it is no such body. At most 256 accounts.
pub fn read(body: &[u8]) -> Option<Vec<(Box<str>, Routing)>> {
    let body = lenient::parse(body)?;
    let accounts = body.get("accounts")?.as_array()?;
    let constraint = |account: &Value, key| {
        account
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| *text != NO_CONSTRAINT)
            .and_then(lenient::label)
    };
    let read = |account: &Value| {
        let id = account.get("id").and_then(Value::as_str)?;
        let routing = Routing {
            override_: constraint(account, "account_routing_override"),
            origin: constraint(account, "workspace_backend_origin"),
        };
        Some((lenient::label(id)?, routing))
    };
    Some(accounts.iter().take(MAX_ACCOUNTS).filter_map(read).collect())
}

/// The answer for the account that the CLI asked for. It must name an https origin, and no constraint: the override of
/// the account behind is set per attempt.
pub fn answer(account_id: &str) -> Vec<u8> {
    json!({
        "accounts": [{
            "id": account_id,
            "plan_type": "plus",
            "workspace_backend_origin": "https://chatgpt.com",
            "account_routing_override": NO_CONSTRAINT,
            "name": null,
            "structure": "personal",
        }],
        "account_ordering": [account_id],
        "default_account_id": account_id,
    })
    .to_string()
    .into_bytes()
}
