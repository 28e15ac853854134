#!/usr/bin/env bash
# chromium.sh: prints the path of a Chromium or Chrome for the browser tests, installing Debian's package first when
# there is none and this is root.
set -euo pipefail

find_browser() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" && return 0
    done
    return 1
}

find_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    {
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium
    } >&2 || {
        echo "levada: installing Chromium failed; the lines above say why. The browser tests need Chromium or Chrome." >&2
        exit 1
    }
    find_browser && exit 0
fi
echo "levada: no Chromium or Chrome was found on the PATH. Install one (Debian: apt-get install chromium) for the browser tests." >&2
exit 1
