# shellcheck shell=bash
# need PACKAGE...: install by apt what is missing, saying so. Sourced; expects say and die.

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Prints those of the PACKAGEs that are not installed.
missing_packages() {
    local package status
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=absent
        [[ $status == installed ]] || echo "$package"
    done
}

# While apt runs, no package may start its service: we want programs, not system servers. A policy that
# is there already is left alone: it is the administrator's.
forbid_services() {
    policy=/usr/sbin/policy-rc.d
    if [[ -e $policy ]]; then policy=; return; fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

allow_services() {
    [[ -z $policy ]] || as_root rm -f "$policy"
    policy=
}

apt_install() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300)
    as_root "${apt[@]}" install --no-install-recommends "$@" && return
    as_root "${apt[@]}" update && as_root "${apt[@]}" install --no-install-recommends "$@"
}

need() {
    local missing log service
    command -v dpkg-query >/dev/null || { say "no dpkg here; make sure these are installed: $*"; return; }
    mapfile -t missing <<<"$(missing_packages "$@")"
    [[ -n ${missing[0]} ]] || return 0
    ((EUID == 0)) || command -v sudo >/dev/null ||
        die "these packages are missing, and there is no sudo here: run as root: apt-get install ${missing[*]}"
    say "installing by apt: ${missing[*]}"
    log=$(mktemp)
    forbid_services
    if ! apt_install "${missing[@]}" >"$log" 2>&1; then
        allow_services
        tail -n 20 "$log" >&2
        die "apt-get could not install ${missing[*]}: its last lines are above, all of them in $log"
    fi
    allow_services
    rm -f "$log"
    # Installed by us, so nobody relies on its service: it shall not start at the next boot either.
    for service in mariadb redis-server; do
        [[ " ${missing[*]} " == *" ${service%-server}-server "* ]] || continue
        ! command -v systemctl >/dev/null || as_root systemctl disable "$service" >/dev/null 2>&1 || true
    done
}
