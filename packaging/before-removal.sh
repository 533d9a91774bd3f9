#!/bin/sh
# Before the package goes (.deb: prerm, .rpm: %preun): every running Baton is ended, which lets Codex go its own way, and
# so is what one that doesn't run has left connected. An upgrade leaves running ones alone. Nothing here fails a removal.
case ${1:-} in
# dpkg says what happens; rpm how many versions will be left.
remove | 0) ;;
*) exit 0 ;;
esac

running=$(/usr/lib/baton/running)
if [ -n "$running" ]; then
    # As Quit does: Codex is disconnected first, and answers under way get half a minute.
    # shellcheck disable=SC2086
    kill -TERM $running 2>/dev/null
    seconds=0
    while [ -n "$(/usr/lib/baton/running)" ] && [ $seconds -lt 40 ]; do
        sleep 1
        seconds=$((seconds + 1))
    done
    running=$(/usr/lib/baton/running)
    # shellcheck disable=SC2086
    [ -z "$running" ] || echo "Baton: still waits for answers under way, and ends by itself after that (process" $running")"
fi

# As the person whose files they are, with nothing of the administrator's environment; a home that doesn't answer is not
# waited for.
getent passwd | while IFS=: read -r user _ _ _ _ home _; do
    if [ "$home" = / ] || [ ! -d "$home" ]; then continue; fi
    timeout 20 runuser -u "$user" -- env -i HOME="$home" PATH=/usr/bin:/bin /usr/lib/baton/leave </dev/null ||
        echo "Baton: look at the base URLs in Codex's config.toml of $user ($home/.codex)"
done
exit 0
