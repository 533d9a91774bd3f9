//! The machinery: keychain, store, proxy, control socket, events.
