#!/usr/bin/env bash
# python-env.sh [DIR REQUIREMENT...]: makes DIR a Python environment that holds the requirements, and leaves it
# alone when it does already. A requirement is what pip takes: name==version, or a file with requirements. It
# installs uv first, as .cache/bin/uv; without arguments that is all.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=${1:-}
[ $# -eq 0 ] || shift
uv=.cache/uv/bin/uv
uv_version=0.13.8

args=()
stamp="python $(python3 -c 'import platform; print(platform.python_version())')"
for requirement in "$@"; do
    if [ -f "$requirement" ]; then
        args+=(-r "$requirement")
        stamp+=$'\n'$(cat "$requirement")
    else
        args+=("$requirement")
        stamp+=$'\n'$requirement
    fi
done

if [ "$("$uv" --version 2>/dev/null | cut -d ' ' -f 2)" != "$uv_version" ]; then
    rm -rf .cache/uv
    python3 -m venv .cache/uv
    .cache/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
fi

# On the PATH by itself: the folder it comes from also holds a python3.
mkdir -p .cache/bin
ln -sfn ../uv/bin/uv .cache/bin/uv

[ -n "$dir" ] || exit 0
if [ -x "$dir/bin/python" ] && [ "$(cat "$dir/.levada-requirements" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

# The stamp is written last: an environment that was cut short is made again.
rm -rf "$dir"
mkdir -p "$(dirname "$dir")"
"$uv" venv --quiet --python "$(command -v python3)" "$dir"
"$uv" pip install --quiet --python "$dir/bin/python" "${args[@]}"
printf '%s\n' "$stamp" >"$dir/.levada-requirements"
