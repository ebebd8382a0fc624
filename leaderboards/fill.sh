#!/bin/sh
# Runs models on a board's prompts and adds them to it. Usage:
#   leaderboards/fill.sh RUNS ARCHIVES [MODEL ...]
# Default models: the weightless baselines. In the environment may be set: BOARD (phantom), N (256), SUITE (the arguments that choose the
# suite), DATA (where its data lie), ADDRESS (where the archives will be hosted), LICENCE, SUBMITTER and TITLE (default: the card's). What is
# finished is used: the same command resumes.
set -eu
runs=$1
archives=$2
shift 2
[ $# -gt 0 ] || set -- real memoriser shuffled mode-collapse blur stain-shift noise
here=$(dirname "$0")
board=${BOARD:-$here/phantom}
mkdir -p "$archives"
for model in "$@"; do
    if [ -d "$board/entries/$model" ]; then
        echo "$model: is an entry already"
        continue
    fi
    # shellcheck disable=SC2086
    record=$(unipath-bench run --model "$model" ${SUITE:---suite phantom} ${DATA:+--data "$DATA"} --n "${N:-256}" --offline --out "$runs" --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["name"])')
    unipath-bench submit "$runs/runs/$record" --out "$archives/$model.zip" \
        --licence-statement "${LICENCE:-Apache-2.0; the images are of the phantom, which is Apache-2.0}"
    # shellcheck disable=SC2086
    unipath-bench leaderboard add "$archives/$model.zip" --board "$board" --name "$model" --cache "$runs/validation" ${DATA:+--data "$DATA"} \
        --submitter "${SUBMITTER:-The UniPath-Bench developers}" ${TITLE:+--title "$TITLE"} ${ADDRESS:+--archive "$ADDRESS/$model.zip"}
done
unipath-bench leaderboard rank "$board"
