#!/usr/bin/env bash
# prereqs.sh NAME...: checks that go, python, node or cc is installed and new enough, and says in one sentence
# what to do when it is not.
set -euo pipefail

missing() {
    printf 'levada: %s\n' "$1" >&2
    exit 1
}

# at_least HAVE WANT: compares versions of the form 1.26 or 3.11.7.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

for name in "$@"; do
    case $name in
    go)
        command -v go >/dev/null ||
            missing "Go is not installed. Install Go 1.26 or newer from https://go.dev/dl/ and put it on the PATH."
        have=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
        at_least "$have" 1.26 || missing "Go $have is too old: Go 1.26 or newer is needed. See https://go.dev/dl/."
        ;;
    python)
        command -v python3 >/dev/null ||
            missing "Python is not installed. Install Python 3.11 or newer; Python steps and the client need it."
        have=$(python3 -c 'import platform; print(platform.python_version())')
        at_least "$have" 3.11 || missing "Python $have is too old: Python 3.11 or newer is needed (python3 on the PATH)."
        python3 -c 'import ensurepip, venv' 2>/dev/null ||
            missing "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv."
        ;;
    node)
        command -v node >/dev/null ||
            missing "Node.js is not installed. Install Node.js 20.19 or newer to build the user interface."
        command -v npm >/dev/null || missing "npm is not installed. It comes with Node.js from https://nodejs.org/."
        have=$(node --version | sed 's/^v//')
        at_least "$have" 20.19 || missing "Node.js $have is too old: Node.js 20.19 or newer is needed to build the user interface."
        ;;
    cc)
        command -v "${CC:-cc}" >/dev/null || command -v gcc >/dev/null ||
            missing "A C compiler is not installed. The race detector of the tests needs one, such as gcc; the product does not."
        ;;
    *)
        missing "prereqs.sh: unknown prerequisite \"$name\"; want go, python, node or cc."
        ;;
    esac
done
