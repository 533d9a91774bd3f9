#!/bin/sh
# After the package has come (.deb: postinst, .rpm: %post).
case ${1:-}:${2:-} in
# dpkg names the version that was there; rpm counts them.
configure:?* | [2-9]:*)
    running=$(/usr/lib/baton/running --replaced)
    # shellcheck disable=SC2086
    [ -z "$running" ] || echo "Baton: a running one stays what it is: quit it and start it again to have this version (process" $running")"
    ;;
esac
exit 0
