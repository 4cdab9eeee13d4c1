#!/bin/sh
# Make sure that the programs the tests drive are here, or with the argument `bench` those of the
# benchmarks; install the missing ones where we may.
set -eu

missing=
command -v redis-server >/dev/null || missing="$missing redis-server"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null ||
    missing="$missing postgresql"
if [ "${1:-}" = bench ]; then
    command -v wrk >/dev/null || missing="$missing wrk"
else
    command -v curl >/dev/null || missing="$missing curl"
    command -v mariadbd >/dev/null || missing="$missing mariadb-server"
    command -v nginx >/dev/null || missing="$missing nginx"
    command -v systemd-analyze >/dev/null || missing="$missing systemd"
    command -v "${CHROMIUM:-chromium}" >/dev/null || missing="$missing chromium"
fi
[ -n "$missing" ] || exit 0

give_up() {
    echo "Programs are missing:$missing" >&2
    echo "$1" >&2
    exit 1
}

case "$missing" in *chromium*)
    # Ubuntu has it as a snap only, whose confinement hides the tests' files from it.
    if [ -n "${CHROMIUM:-}" ] || grep -qs '^ID=ubuntu' /etc/os-release; then
        give_up "Install a Chromium or Chrome that is not a snap, and name it: CHROMIUM=/path/to/it"
    fi
esac

install="apt-get install --yes --no-install-recommends$missing"
command -v apt-get >/dev/null || give_up "Install them as your system does."
if [ "$(id -u)" = 0 ]; then
    sudo=
elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    give_up "Install them: sudo $install"
fi

echo "Installing what is missing:$missing"
# We start servers of our own, so the packages' services stay off: now, by the
# file that Debian asks before it starts one, and at the next boot.
$sudo sh -eu -s -- "$install" <<'ROOT'
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2 </dev/null
$1 --quiet=2 </dev/null >/dev/null
for service in redis-server nginx postgresql mariadb; do
    case "$1" in *$service*)
        if [ -d /run/systemd/system ]; then systemctl --quiet disable $service; fi
    esac
done
ROOT
