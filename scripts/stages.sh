#!/usr/bin/env bash
# stages.sh TARGET...: makes the targets one after the other, goes on when one fails, and ends with a list of what
# passed and what did not. The exit status is 0 only when all of them passed.
set -uo pipefail

stage=
trap 'printf "\nstopped during %s\n" "$stage"; exit 130' INT TERM

results=()
failed=0
began=$SECONDS
for stage in "$@"; do
    printf '\n=== %s\n' "$stage"
    start=$SECONDS
    if make --no-print-directory "$stage"; then
        results+=("ok    $stage ($((SECONDS - start)) s)")
    else
        results+=("FAIL  $stage ($((SECONDS - start)) s); alone: make $stage")
        failed=$((failed + 1))
    fi
done

printf '\n=== result after %d s\n' "$((SECONDS - began))"
printf '%s\n' "${results[@]}"
if [ "$failed" -gt 0 ]; then
    printf 'FAIL: %d of %d stages failed\n' "$failed" "$#"
    exit 1
fi
printf 'ok: all %d stages passed\n' "$#"
