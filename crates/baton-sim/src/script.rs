//! The accounts of a scenario: plans, windows, named limits, what a request costs.

use std::time::Duration;

/// The slot in which a window is shown. Readers must tell windows by duration; a script can swap the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `primary`, `primary_window`.
    Primary,
    /// `secondary`, `secondary_window`.
    Secondary,
}

/// A quota window: a duration and how many units fit into it. Its timer starts at its first use.
#[derive(Clone, Debug)]
pub struct WindowScript {
    pub(crate) duration: Duration,
    pub(crate) capacity: f64,
    pub(crate) used: f64,
    pub(crate) age: Duration,
    pub(crate) slot: Option<Slot>,
}

impl WindowScript {
    /// A window of any length.
    #[must_use]
    pub fn new(duration: Duration, capacity: f64) -> Self {
        Self {
            duration,
            capacity,
            used: 0.0,
            age: Duration::ZERO,
            slot: None,
        }
    }

    /// The five-hour window.
    #[must_use]
    pub fn five_hours(capacity: f64) -> Self {
        Self::new(Duration::from_secs(5 * 3600), capacity)
    }

    /// The weekly window.
    #[must_use]
    pub fn weekly(capacity: f64) -> Self {
        Self::new(Duration::from_secs(7 * 24 * 3600), capacity)
    }

    /// Units used before the simulation starts; a window with use has a running timer.
    #[must_use]
    pub fn used(mut self, units: f64) -> Self {
        self.used = units;
        self
    }

    /// How long ago the timer of an initially used window started.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// The slot to show it in; by default the first window is primary, the second secondary.
    #[must_use]
    pub fn slot(mut self, slot: Slot) -> Self {
        self.slot = Some(slot);
        self
    }
}

/// A named limit: some models are metered by windows of their own.
#[derive(Clone, Debug)]
pub struct FamilyScript {
    pub(crate) name: String,
    pub(crate) feature: String,
    pub(crate) models: Vec<String>,
    pub(crate) windows: Vec<WindowScript>,
}

impl FamilyScript {
    /// A named limit such as `("GPT-5.3-Codex-Spark", "codex_bengalfox")`. Its headers begin with the feature,
    /// dashes for underscores: `x-codex-bengalfox-primary-used-percent`.
    #[must_use]
    pub fn new(name: impl Into<String>, feature: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            feature: feature.into(),
            models: Vec::new(),
            windows: Vec::new(),
        }
    }

    /// A model that this limit meters, in place of the general one.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.models.push(model.into());
        self
    }

    /// A window of this limit.
    #[must_use]
    pub fn window(mut self, window: WindowScript) -> Self {
        self.windows.push(window);
        self
    }
}

/// An account of the backend.
#[derive(Clone, Debug)]
pub struct AccountScript {
    pub(crate) name: String,
    pub(crate) account_id: String,
    pub(crate) user_id: String,
    pub(crate) email: String,
    pub(crate) plan: String,
    pub(crate) windows: Vec<WindowScript>,
    pub(crate) families: Vec<FamilyScript>,
    pub(crate) cost: f64,
    pub(crate) cost_per_token: f64,
    pub(crate) credits: Option<f64>,
    pub(crate) lacks: Vec<String>,
    pub(crate) routing_override: String,
    pub(crate) backend_origin: String,
    pub(crate) token_lifetime: Duration,
}

impl AccountScript {
    /// An account without windows (it never runs out) on the plan `plus`. The name is what the log calls it,
    /// and its account id unless [`AccountScript::account_id`] says otherwise.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            account_id: name.clone(),
            user_id: format!("user-{name}"),
            email: format!("{name}@example.invalid"),
            plan: "plus".to_owned(),
            windows: Vec::new(),
            families: Vec::new(),
            cost: 1.0,
            cost_per_token: 0.0,
            credits: None,
            lacks: Vec::new(),
            routing_override: "NO_CONSTRAINT".to_owned(),
            backend_origin: "NO_CONSTRAINT".to_owned(),
            token_lifetime: Duration::from_secs(10 * 24 * 3600),
            name,
        }
    }

    /// The `chatgpt-account-id`; teammates share one.
    #[must_use]
    pub fn account_id(mut self, id: impl Into<String>) -> Self {
        self.account_id = id.into();
        self
    }

    /// The user id.
    #[must_use]
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.user_id = id.into();
        self
    }

    /// The e-mail in the tokens and in `wham/usage`.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = email.into();
        self
    }

    /// The plan.
    #[must_use]
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        self.plan = plan.into();
        self
    }

    /// A window of the general limit; an account may have none, one or two.
    #[must_use]
    pub fn window(mut self, window: WindowScript) -> Self {
        self.windows.push(window);
        self
    }

    /// A named limit.
    #[must_use]
    pub fn family(mut self, family: FamilyScript) -> Self {
        self.families.push(family);
        self
    }

    /// Units that a request costs (1).
    #[must_use]
    pub fn cost(mut self, units: f64) -> Self {
        self.cost = units;
        self
    }

    /// Units that each token of input and output costs, on top of [`AccountScript::cost`] (0).
    #[must_use]
    pub fn cost_per_token(mut self, units: f64) -> Self {
        self.cost_per_token = units;
        self
    }

    /// Purchased credits, in units: with some left, a spent account still answers.
    #[must_use]
    pub fn credits(mut self, balance: f64) -> Self {
        self.credits = Some(balance);
        self
    }

    /// A model that the plan doesn't include.
    #[must_use]
    pub fn lacks_model(mut self, model: impl Into<String>) -> Self {
        self.lacks.push(model.into());
        self
    }

    /// `account_routing_override` of `accounts/check`: `NO_CONSTRAINT`, `us` or `us_cr`.
    #[must_use]
    pub fn routing_override(mut self, value: impl Into<String>) -> Self {
        self.routing_override = value.into();
        self
    }

    /// `workspace_backend_origin` of `accounts/check` (`NO_CONSTRAINT`). A CLI that talks to the
    /// simulation without a proxy between needs `https://chatgpt.com` here: it refuses http origins otherwise.
    #[must_use]
    pub fn backend_origin(mut self, value: impl Into<String>) -> Self {
        self.backend_origin = value.into();
        self
    }

    /// How long its access tokens live, in simulated time (10 days).
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }
}
