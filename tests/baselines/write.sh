#!/bin/sh
# Writes the baselines that continuous integration gates unipath-tiny against, of the weights as they are. Usage:
#   tests/baselines/write.sh RUNS
# unipath-tiny.json: 256 prompts, all tasks, for the workflows. unipath-tiny-64.json: 64 of these prompts and the tasks that need one
# image a prompt, for the tests. What is finished in RUNS is used: the same command resumes.
set -eu
runs=$1
here=$(dirname "$0")
write() {
    file=$1
    shift
    record=$(unipath-bench run --model unipath --suite phantom "$@" --offline --out "$runs" --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["name"])')
    unipath-bench gate "$runs/runs/$record" --write-baseline "$here/$file"
}
write unipath-tiny.json --tiers 1-4 --n 256
write unipath-tiny-64.json --n 64 --tasks kernel-distance,clip-score,text-to-image-recall,attribute-control,memorisation
