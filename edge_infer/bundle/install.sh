#!/bin/sh
# Installs edge-infer @VERSION@ and the models of this folder, with no network;
# run again, it upgrades.
#
#   sh install.sh [--prefix DIR] [--home DIR] [--python FILE] [--identity FILE]
#
#   --prefix    where the programs go (root: /opt/edge-infer; others:
#               ~/.local/opt/edge-infer)
#   --home      where the models are kept (left out: as in the run before, or
#               EDGE_INFER_HOME, or for root /var/lib/edge-infer, for others
#               edge-infer's folder of your data)
#   --python    the Python @PYTHON@ to use (left out: python@PYTHON@ or python3)
#   --identity  the secret that opens encrypted models
#
# In turn: every file against SHA256SUMS; a Python that fits; a new virtual
# environment beside the one that is in use; the keys; the models, whose golden
# rows are replayed on this machine; one answer. Only then is the new environment
# the one in use. A run that fails takes the new environment away again; models
# that it installed by then stay.
set -eu
umask 022
export LC_ALL=C
unset PYTHONPATH PYTHONHOME CDPATH

say() { printf 'install: %s\n' "$*"; }
fail() { printf 'install: FAILED: %s\n' "$*" >&2; exit 1; }
usage() { printf 'install: %s\nusage: sh install.sh [--prefix DIR] [--home DIR] [--python FILE] [--identity FILE]\n' "$*" >&2; exit 2; }
absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$(pwd)" "$1" ;; esac; }

prefix='' store='' python='' identity=''
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) sed -n '2,19s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --prefix | --home | --python | --identity) if [ -z "${2:-}" ]; then usage "$1 needs a value"; fi ;;
    *) usage "unknown argument: $1" ;;
    esac
    case $1 in
    --prefix) prefix=$(absolute "$2") ;;
    --home) store=$(absolute "$2") ;;
    --python) case $2 in */*) python=$(absolute "$2") ;; *) python=$2 ;; esac ;;
    --identity) identity=$(absolute "$2") ;;
    esac
    shift 2
done
if [ "$(id -u)" = 0 ]; then
    prefix=${prefix:-/opt/edge-infer} usual=/var/lib/edge-infer
else
    prefix=${prefix:-${HOME:?install: set HOME, or give --prefix}/.local/opt/edge-infer} usual=''
fi
[ -n "$store" ] || store=$(cat "$prefix/home" 2>/dev/null || true)
store=${store:-${EDGE_INFER_HOME:-$usual}}
[ -z "$store" ] || store=$(absolute "$store")
case $prefix$store in *[\"\'\$\`\\\}]* | *'
'*) usage "no quotes, \$, \`, \\, } or line ends in --prefix and --home" ;; esac

# --- the bundle is whole, and holds nothing that SHA256SUMS does not name ---

cd "$(dirname "$0")" || fail "the bundle's folder cannot be entered"
[ -f SHA256SUMS ] || fail "SHA256SUMS is missing: run install.sh from the bundle's folder"
if command -v sha256sum >/dev/null 2>&1; then sums=sha256sum; else sums='shasum -a 256'; fi
# shellcheck disable=SC2086  # a command and its options
changed=$($sums -c SHA256SUMS 2>/dev/null | sed -n '/: OK$/!p') || true
[ -z "$changed" ] || fail "these files are not what the bundle was made with; copy it anew:
$changed"
# shellcheck disable=SC2086
$sums -c SHA256SUMS >/dev/null 2>&1 || fail "SHA256SUMS cannot be checked: a file is missing, or sha256sum is"
for file in wheels/* models/* rows/* keys/*; do
    [ -e "$file" ] || continue
    sed 's/^[0-9a-f]*  //' SHA256SUMS | grep -qxF -e "$file" ||
        fail "$file is not of this bundle: SHA256SUMS does not name it; copy the bundle anew"
done
say "all files are as the bundle was made"

# --- a Python that the wheels fit ---

fits='
import platform, struct, sys
libc, version = platform.libc_ver()
wanted = "CPython @PYTHON@ of 64 bits, @MACHINE@, glibc @GLIBC@ or newer"
numbers = lambda text: tuple(int(part) for part in text.split("."))
fit = (
    sys.version_info[:2] == numbers("@PYTHON@")
    and platform.python_implementation() == "CPython"
    and struct.calcsize("P") == 8
    and platform.machine() == "@MACHINE@"
    and libc == "glibc"
    and numbers(version) >= numbers("@GLIBC@")
)
libc = libc or "no glibc"
told = f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, {libc} {version}"
sys.exit(0 if fit else f"expected {wanted}; got {told}")
'
if [ -n "$python" ]; then set -- "$python"; else set -- python@PYTHON@ python3; fi
found='' told=''
for candidate in "$@"; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if told=$("$candidate" -I -c "$fits" 2>&1); then found=$(command -v "$candidate"); break; fi
done
[ -n "$found" ] || fail "no Python here fits this bundle: ${told:-not found: $*}
Install Python @PYTHON@, or name one with --python FILE; or make a bundle for this machine (edge-infer bundle --help)"
"$found" -I -c 'import venv' 2>/dev/null || fail "$found has no module venv; install it (Debian: apt install python@PYTHON@-venv)"
say "$found"

# --- a new environment, beside the one in use ---

mkdir -p "$prefix/versions" "$prefix/bin" || fail "$prefix cannot be written; give --prefix, or run as its owner"
exec 9>"$prefix/.lock" || fail "$prefix cannot be written; give --prefix, or run as its owner"
"$found" -I -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null ||
    fail "another install.sh is at work in $prefix; wait until it is done"
new=$(mktemp -d "$prefix/versions/@VERSION@-XXXXXX") || fail "$prefix cannot be written"
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
"$found" -I -m venv --without-pip "$new" || fail "$found could not make a virtual environment"
pip=$(echo wheels/pip-*.whl)
"$new/bin/python" -I -B "$pip/pip" --isolated --disable-pip-version-check install --quiet \
    --no-cache-dir --no-index --find-links wheels --only-binary :all: --require-hashes --requirement requirements.txt ||
    fail "the wheels could not be installed"
chmod 755 "$new"
say "$("$new/bin/edge-infer" --version), $(($(du -sk "$new" | cut -f1) / 1024)) MiB"

# --- keys, models, an answer ---

[ -z "$store" ] || export EDGE_INFER_HOME="$store"
edge_infer() { "$new/bin/edge-infer" "$@" </dev/null; }
for key in keys/*.pub; do
    [ -e "$key" ] || continue
    edge_infer trust "$key" >/dev/null || fail "$key could not be trusted"
done
[ ! -e "${key:-}" ] || edge_infer trust
for model in models/*.onnx models/*.age; do
    [ -e "$model" ] || continue
    edge_infer install "$model" ${identity:+--identity "$identity"} || fail "$model was not installed, see above"
done
for row in rows/*.json; do
    [ -e "$row" ] || continue
    name=${row#rows/} name=${name%.json}
    answer=$(edge_infer predict "$name" "$row" --json) || fail "$name does not answer"
    say "$name answers a golden row: $answer"
done

# What root wrote belongs to the owner of the store, which may be a user of its own.
if [ "$(id -u)" = 0 ] && [ -n "$store" ] && [ -d "$store" ]; then chown -Rh "$(stat -c %u:%g "$store")" "$store"; fi

# --- the new environment is the one in use ---

before=$(readlink "$prefix/current" 2>/dev/null || true)
{
    echo '#!/bin/sh'
    [ -z "$store" ] || printf "export EDGE_INFER_HOME=\"\${EDGE_INFER_HOME:-%s}\"\n" "$store"
    printf "exec '%s/current/bin/edge-infer' \"\$@\"\n" "$prefix"
} >"$prefix/bin/.edge-infer.new"
chmod 755 "$prefix/bin/.edge-infer.new"
printf '%s\n' "$store" >"$prefix/.home.new"
ln -sfn "versions/${new##*/}" "$prefix/.current.new"
"$new/bin/python" -I -c '
import os, sys
prefix, = sys.argv[1:]
os.sync()
os.replace(f"{prefix}/.current.new", f"{prefix}/current")
os.replace(f"{prefix}/.home.new", f"{prefix}/home")
os.replace(f"{prefix}/bin/.edge-infer.new", f"{prefix}/bin/edge-infer")
os.sync()
' "$prefix" || fail "$prefix cannot be written"
trap - EXIT
for old in "$prefix"/versions/*; do # the one before stays: programs that run may still import from it
    case versions/${old##*/} in "versions/${new##*/}" | "$before") ;; *) rm -rf "$old" ;; esac
done

say "done. Next:
  $prefix/bin/edge-infer status
  $prefix/bin/edge-infer --help
To go back to the programs before: run the install.sh of the bundle before; models: edge-infer rollback NAME"
