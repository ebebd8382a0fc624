#!/bin/sh
# Validates the entries that a checkout adds or changes since a commit. Usage: leaderboards/validate-changed.sh CHECKOUT COMMIT
# Reports go to reports/BOARD-ENTRY.json. Exits 4 where an entry is refused, or where a board's rules change with it; an entry that cannot be
# checked whole here is a warning.
set -eu
checkout=$1
base=$2
mkdir -p reports
refused=0
rules=$(git -C "$checkout" diff --name-only "$base...HEAD" -- 'leaderboards/*/board.yaml')
entries=$(git -C "$checkout" diff --name-only --diff-filter=d "$base...HEAD" -- 'leaderboards/*/entries/*' |
    sed -n 's|^\(leaderboards/[a-z0-9-]*/entries/[a-z0-9-]*\)/[A-Za-z0-9._-]*$|\1|p' | sort -u)
strange=$(git -C "$checkout" diff --name-only --diff-filter=d "$base...HEAD" -- 'leaderboards/*/entries/*' |
    sed '/^leaderboards\/[a-z0-9-]*\/entries\/[a-z0-9-]*\/[A-Za-z0-9._-]*$/d')
if [ -n "$strange" ]; then
    echo "These are no files of an entry:"
    echo "$strange"
    refused=4
fi
if [ -n "$rules" ] && [ -n "$entries" ]; then
    echo "::error::A board's rules and its entries change together: change the rules in a pull request of their own"
    exit 4
fi
for entry in $entries; do
    name=$(echo "$entry" | sed 's|^leaderboards/||; s|/entries/|-|')
    status=0
    unipath-bench leaderboard validate "$checkout/$entry" --cache validation-cache --json >"reports/$name.json" || status=$?
    case $status in
        0) echo "$name: accepted" ;;
        3) echo "::warning::$name: not everything could be checked here; a maintainer completes it" ;;
        *)
            echo "::error::$name: refused"
            refused=4
            ;;
    esac
    [ -s "reports/$name.json" ] || continue
    python3 - "reports/$name.json" <<'PRINT'
import json, sys
for check in json.load(open(sys.argv[1]))["checks"]:
    print(f"  {check['status']:16} {check['name']:24} {check['detail']}")
PRINT
done
exit $refused
