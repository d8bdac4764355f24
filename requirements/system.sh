#!/bin/sh
# Make sure that the commands listed in the given files (requirements/system.txt) are there:
# root on Debian gets them through apt, anybody else one message that lists what is missing.
set -eu
PATH=$PATH:/usr/sbin:/usr/local/sbin:/sbin
say() { printf '%s\n' "$*" >&2; }

missing_packages() {
    grep -hv '^#' "$@" | while IFS=: read -r thing package; do
        case $thing in
            /*) ls $thing >/dev/null 2>&1 || printf '%s\n' "$package" ;; # may be a pattern
            *) command -v "$thing" >/dev/null 2>&1 || printf '%s\n' "$package" ;;
        esac
    done | sort -u | tr '\n' ' '
}

# Debian starts a server when it installs one. The tests start their own, so nothing may take a port.
start_no_services() {
    policy=/usr/sbin/policy-rc.d
    [ ! -e $policy ] || return 0
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
}

missing=$(missing_packages "$@")
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "Missing for this command (Debian package names): $missing"
    say "Install them, for example: sudo apt-get install --no-install-recommends $missing"
    exit 1
fi
say "Installing $missing..."
start_no_services
apt="apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"
$apt update >&2
# shellcheck disable=SC2086 - a list of package names
DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends $missing >/dev/null
