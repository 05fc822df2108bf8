# shellcheck shell=bash
# Oracle MySQL on a system whose distribution has none: a Debian unstable root in the cache, with the MySQL
# server, its client library, and what is needed to build this library there. Sourced by servers.
#
# The server runs from outside of the root, by the root's own dynamic loader: no mount, no chroot, no
# privilege, data wherever the caller wants it. The client library cannot be linked outside (it needs the
# root's newer libc), so the library is built inside: servers mysql-exec cmake --preset dev -DTT_CLIENT=mysql
# shellcheck disable=SC2154
ROOT_PACKAGES=(mysql-server-core mysql-client-core libmysqlclient-dev mysql-router redis-server
    build-essential cmake ninja-build pkg-config check libhiredis-dev libyaml-dev libxxhash-dev liblua5.1-0-dev
    python3)

# Debian's mirror, as this machine's apt is set up. The list names each archive and its base address.
debian_mirror() {
    local mirror=${TWOTIER_DEBIAN_MIRROR:-}
    # shellcheck disable=SC2016 # apt fills these in
    [[ -n $mirror ]] || mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' \
        'Created-By: Packages' | sed -n 's/^Debian Debian \(https\?:.*\)$/\1/p' | head -n 1)
    [[ -n $mirror ]] || die "apt names no Debian mirror here (is 'apt-get update' missing?)" \
        "set TWOTIER_DEBIAN_MIRROR to the address of one"
    echo "$mirror"
}

# Run COMMAND in the root ROOT. Some programs want /proc: it is mounted in a namespace of the command's own,
# so that nothing is left mounted, however it ends; where that is not allowed, we go without.
in_root() { # ROOT COMMAND...
    # shellcheck disable=SC2016 # for the inner shell
    as_root unshare --mount --propagation private sh -c \
        'mount -t proc proc "$0/proc" 2>/dev/null || true; exec chroot "$0" "$@"' "$@"
}

clean_env=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)

# Prints the path of the root; makes it if there is none yet.
mysql_root() {
    local root=$cache/sid-root
    if ! is_complete "$root"; then
        mkdir -p "$cache"
        (
            flock 9 # two runs at once: the second waits and finds it made
            [[ -e $root ]] || make_root "$root"
            is_complete "$root" || complete_root "$root"
        ) 9>"$cache/sid-root.lock" >&2
    fi
    echo "$root"
}

# What the root was made with; a root of an earlier version of this file gets what is missing.
packages_file=etc/twotier-packages

is_complete() { [[ $(cat "$1/$packages_file" 2>/dev/null) == "${ROOT_PACKAGES[*]}" ]]; } # ROOT

install_in_root() { # ROOT LOG
    local proxy=''
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    in_root "$1" "${clean_env[@]}" ${proxy:+http_proxy="$proxy"} \
        apt-get install -y -q --no-install-recommends "${ROOT_PACKAGES[@]}" >>"$2" 2>&1 ||
        die "apt-get failed in the root: $(tail -n 5 "$2"); to have it made again, remove $1"
    as_root rm -rf "$1"/var/cache/apt/archives/*.deb
    as_root tee "$1/$packages_file" <<<"${ROOT_PACKAGES[*]}" >/dev/null
}

complete_root() { # ROOT
    say "installing in $1 what it lacks"
    in_root "$1" "${clean_env[@]}" apt-get update -q >"$cache/sid-root.log" 2>&1 || true
    install_in_root "$1" "$cache/sid-root.log"
}

make_root() { # ROOT
    local new=$1.new log=$cache/sid-root.log mirror proxy='' began=$SECONDS
    need debootstrap
    mirror=$(debian_mirror)
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    say "making a Debian root with MySQL in $1: about 2 minutes, 1.5 GB (log: $log)"
    as_root rm -rf --one-file-system "$new"
    trap 'as_root rm -rf --one-file-system "$cache/sid-root.new"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    as_root env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase sid "$new" "$mirror" >"$log" 2>&1 ||
        die "debootstrap failed: $(tail -n 3 "$log")"
    say "base system made in $((SECONDS - began)) s, installing MySQL"
    as_root chmod 755 "$new"
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$new/usr/sbin/policy-rc.d" >/dev/null
    as_root chmod 755 "$new/usr/sbin/policy-rc.d"
    install_in_root "$new" "$log"
    as_root mv -T "$new" "$1"
    say "root made in $((SECONDS - began)) s"
}

# Sets server and client to commands that run the root's programs by its own loader.
root_commands() { # ROOT
    local loader libraries
    loader=$(compgen -G "$1/lib*/ld-linux*.so.*" | head -n 1)
    libraries=$(dirname "$(compgen -G "$1/usr/lib/*/libc.so.6")")
    [[ -x $loader && -x $1/usr/sbin/mysqld ]] ||
        die "$1: expected MySQL in it, found none; remove it, so that it is made again"
    server=("$loader" --library-path "$libraries:$libraries/mysql" "$1/usr/sbin/mysqld")
    client=("$loader" --library-path "$libraries" "$1/usr/bin/mysql")
}

# Copy this repository, without its build, to /src/twotier in the root (what was built there before stays),
# and run COMMAND there. Servers that it starts are MySQL's, on the loopback of this machine.
mysql_exec() { # COMMAND...
    local root source
    (($#)) || usage_error "mysql-exec: expected a command"
    root=$(mysql_root)
    source=$(realpath "$here/../..")
    as_root mkdir -p "$root/src/twotier"
    as_root find "$root/src/twotier" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    tar -C "$source" --exclude=./build --exclude=./.git -c . |
        as_root tar -C "$root/src/twotier" --no-same-owner -x
    # shellcheck disable=SC2016 # for the inner shell
    in_root "$root" "${clean_env[@]}" TT_FAMILY=mysql ${TT_SERVERS_OWNER:+TT_SERVERS_OWNER="$TT_SERVERS_OWNER"} \
        sh -c 'cd /src/twotier && exec "$@"' sh "$@"
}
