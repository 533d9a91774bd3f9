//! The command line of Baton.
fn main() {}
