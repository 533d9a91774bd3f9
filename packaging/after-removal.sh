#!/bin/sh
# After the package has gone (.deb: postrm). Nothing of a person's is removed, not even by a purge.
[ "${1:-}" = purge ] || exit 0
getent passwd | while IFS=: read -r user _ _ _ _ home _; do
    [ ! -d "$home/.local/share/baton" ] ||
        echo "Baton: $home/.local/share/baton stays: it is $user's, and so are the entries of their keychain that begin with baton-"
done
exit 0
