//! A port for what goes away and comes back.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
};

/// Below every system's ephemeral range, so that no outgoing connection and no other listener on "any port" takes it
/// meanwhile.
const FIRST: u16 = 12_000;
const COUNT: u64 = 20_000;

/// A free port, in both families, that stays free while the program that listens there restarts.
#[must_use]
pub fn lasting_port() -> u16 {
    loop {
        let random = RandomState::new().hash_one(()) % COUNT;
        let port = FIRST + u16::try_from(random).unwrap_or_default();
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        // A machine without IPv6 has nobody there either.
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port));
        let taken = v6.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse);
        if v4.is_ok() && !taken {
            return port;
        }
    }
}
