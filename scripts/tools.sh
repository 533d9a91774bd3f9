# Sourced by the other scripts and by the Makefile: finds the tools that `scripts/setup` installs, in shells that were
# open before they were, and says where things are kept.
# shellcheck shell=bash

if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    export HOME
fi

BATON_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/baton
BATON_CODEX_VERSION=0.169.0
BATON_TAURI_VERSION=2.12.5
BATON_CARGO_FUZZ=0.13.2
# Clones share one copy: it is 400 MB. Tests and measurements find it by this variable.
export BATON_CODEX_DIR=$BATON_CACHE/codex-$BATON_CODEX_VERSION
BATON_TAURI_DIR=$BATON_CACHE/tauri-$BATON_TAURI_VERSION

# A fresh clone for each run would compile everything each time.
if [ "${CI:-}" = true ] && [ -z "${CARGO_TARGET_DIR:-}" ]; then
    export CARGO_TARGET_DIR=$BATON_CACHE/target
fi

case ":$PATH:" in
*":${CARGO_HOME:-$HOME/.cargo}/bin:"*) ;;
*) [ -d "${CARGO_HOME:-$HOME/.cargo}/bin" ] && PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH ;;
esac

# The oldest Rust that builds Baton, as Cargo.toml says it.
baton_rust_wanted() {
    sed -n 's/^rust-version = "\(.*\)"/\1/p' "$BATON_ROOT/Cargo.toml"
}

# at_least HAVE WANT: whether one version is at least the other.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

baton_rust_version() {
    rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'
}

# Whether the Rust that a plain `cargo` would use is new enough.
baton_rust_fits() {
    local have
    have=$(baton_rust_version) && [ -n "$have" ] && command -v cargo >/dev/null && at_least "$have" "$(baton_rust_wanted)"
}

# The Rust whose lints the code is clean under. A newer one may know lints that nobody has seen yet: then they are shown,
# and fail the run in CI only, where somebody looks after them.
BATON_LINT_RUST=1.95

baton_deny_warnings() {
    case ${CI:-}$(baton_rust_version) in
    true* | "$BATON_LINT_RUST".*) echo "-D warnings" ;;
    *) echo "lints are shown as warnings: the code is kept clean under Rust $BATON_LINT_RUST" >&2 ;;
    esac
}

# The person's default toolchain may be an old one on purpose: it stays the default, and Baton asks for another.
if ! baton_rust_fits && command -v rustup >/dev/null; then
    if RUSTUP_TOOLCHAIN=stable RUSTUP_AUTO_INSTALL=0 baton_rust_fits; then
        export RUSTUP_TOOLCHAIN=stable
    fi
fi
