# Sourced by the scripts that try things on a fresh machine: a bare Debian root of their own in $root, which is gone when
# they end. Needs root and debootstrap. The packages come from the mirror that this machine's own apt uses; the root has
# this machine's network.
#
#   BATON_CLEAN_SUITE=trixie    another release than Debian 12 (bookworm)
#   BATON_CLEAN_KEEP=DIR        keep the bare root in DIR, and start from it the next time
# shellcheck shell=bash

say() { printf 'clean root: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}

# clean_root_alone "$@": starts the script again, where its mounts and processes are its own. They go when it ends, and
# removing the root can't follow a mount out of it.
clean_root_alone() {
    [ "$(id -u)" = 0 ] || fail "needs root: run it with sudo"
    command -v debootstrap >/dev/null || fail "needs debootstrap: apt-get install debootstrap"
    if [ -z "${BATON_CLEAN_INSIDE:-}" ]; then
        BATON_CLEAN_INSIDE=1 exec unshare --mount-proc --pid --fork --kill-child --propagation private -- "$0" "$@"
    fi
}

# Sets $root, and $work for whatever else goes when the script ends.
clean_root_make() {
    local suite=${BATON_CLEAN_SUITE:-bookworm} mirror base
    work=$(mktemp -d "${TMPDIR:-/tmp}/baton-clean-root.XXXXXX")
    root=$work/root
    trap clean_root_remove EXIT

    base=${BATON_CLEAN_KEEP:-$work/base}
    if [ ! -e "$base/etc/baton-clean-root" ]; then
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
        [ -n "$mirror" ] || fail "this machine's apt names no mirror"
        say "making a bare $suite with git, make and sudo"
        debootstrap --variant=minbase --include=ca-certificates,git,make,sudo "$suite" "$base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
            { tail -n 20 "$work/debootstrap.log" >&2 && fail "debootstrap failed"; }
        # This machine's network may show certificates of its own, which a root without them would refuse.
        cp -rT /usr/local/share/ca-certificates "$base/usr/local/share/ca-certificates"
        chroot "$base" update-ca-certificates >/dev/null
        chroot "$base" useradd --create-home --shell /bin/bash person
        echo 'person ALL=(ALL) NOPASSWD: ALL' >"$base/etc/sudoers.d/person"
        touch "$base/etc/baton-clean-root"
    fi
    cp -a "$base" "$root"

    # What every machine has.
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
}

clean_root_remove() {
    # What still runs of it would keep its mounts. It is all that this script, the first of its own processes, can see.
    [ $$ != 1 ] || kill -KILL -1 2>/dev/null || true
    umount -R "$root/proc" "$root/dev" "$root/opt/rust" 2>/dev/null || true
    # Whatever is still mounted is not removed: rm stays on one file system.
    rm -rf --one-file-system "$work"
}
