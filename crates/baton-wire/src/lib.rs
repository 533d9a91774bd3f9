//! What Codex says on the wire, as baton-core's types. Pure.
