#!/bin/sh
# Times the kernels of this tree and of a commit on this machine, and stops (exit 5) where this tree is slower by more than a quarter.
# Usage: tests/benchmarks/compare-with.sh COMMIT FOLDER, where FOLDER takes the commit's files and the two lists of times.
set -eu
commit=$1
folder=$2
here=$(git rev-parse --show-toplevel)
before=$folder/before
git -C "$here" worktree remove --force "$before" 2>/dev/null || true
git -C "$here" worktree add --detach "$before" "$commit"
trap 'git -C "$here" worktree remove --force "$before"' EXIT
# What both are measured by is this tree's.
cp "$here"/tests/benchmarks/*.py "$before/tests/benchmarks/"
measure() {
    cd "$1"
    PYTHONPATH=$1 python -m pytest -o addopts= --timeout=0 -p no:cacheprovider --benchmark-only --benchmark-json "$2" \
        -k "reference or unipath-bench" tests/benchmarks/test_reference.py tests/benchmarks/test_kernels.py
}
measure "$before" "$folder/before.json"
measure "$here" "$folder/now.json"
unipath-bench gate --speed "$folder/now.json" --against "$folder/before.json" --tolerance 0.25
