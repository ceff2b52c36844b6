# What the scripts here that need Python share; sourced by them, with `work` naming a folder that they remove.

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# install WHAT PACKAGE
install() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || fail "$1 is missing: install it (Debian: apt-get install $2)"
    echo "${0##*/}: $1 is missing: installing it (apt-get install $2)" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=300 update >&2 </dev/null
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$2" >&2 </dev/null
}

# make_venv REQUIREMENTS: what that file names, in $work/venv.
make_venv() {
    python3 -c 'import sys, ensurepip, venv; assert sys.version_info >= (3, 10)' 2>/dev/null \
        || install 'Python 3.10 with venv' python3-venv
    python3 -m venv "$work/venv" || fail 'python3 -m venv failed: Python 3.10 or newer is needed'
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$1" >&2 \
        || fail "pip could not install what $1 names"
}
