# shellcheck shell=bash
# The end: nothing is under way, and every table of every remote is what its set says, compared by SQL.

stage "7. Every remote and its set"

say "Everybody syncs until nothing is under way."
everybody_syncs
at hq packhorse sync
for node in "${nodes[@]}"; do
    at "$node" packhorse status
    at "$node" packhorse queue list
    at "$node" packhorse held list
    claim_same "nothing is under way at $node" "$(cd "$node" && packhorse queue list --json)" "[]"
    claim_same "nothing is held at $node" "$(cd "$node" && packhorse held list --json)" "[]"
done

# The records of the set with this condition on companies, as the office's own tables have them.
members() {
    case $1 in
        companies) echo "SELECT id FROM main.companies WHERE $2" ;;
        contacts) echo "SELECT id FROM main.contacts WHERE company_id IN ($(members companies "$2"))" ;;
        activities) echo "SELECT id FROM main.activities WHERE contact_id IN ($(members contacts "$2"))" ;;
        prices) echo "SELECT article FROM main.prices" ;;
    esac
}

# Columns as literals, so that NULL, numbers and text are told apart.
literals() {
    local column list=
    for column in "$@"; do list+=${list:+, }"quote($column)"; done
    echo "$list"
}

# One line of the table: how many records the office has in the set, how many the remote has, and whether they differ;
# the rows that only one of them has are listed below it.
equal=true
compare() {
    local remote=$1 table=$3 key=$4 fields due has told counts verdict=equal
    due=$(members "$table" "$2")
    shift 3
    fields=$(literals "$@")
    due="SELECT $fields FROM main.$table WHERE $key IN ($due)"
    has="SELECT $fields FROM remote.$table"
    told=$(ask hq "ATTACH '$remote/crm.db' AS remote;
        SELECT (SELECT count(*) FROM ($due)), (SELECT count(*) FROM ($has));
        SELECT '    only in the set', * FROM ($due EXCEPT $has);
        SELECT '    only at $remote', * FROM ($has EXCEPT $due)") || stop "$table of $remote could not be compared"
    counts=${told%%$'\n'*}
    if [ "$told" != "$counts" ] || [ "${counts%|*}" != "${counts#*|}" ]; then
        verdict=DIFFERENT
        equal=false
    fi
    printf '%-8s %-12s %8s %10s   %-10s %s\n' "$remote" "$table" "${counts%|*}" "${counts#*|}" "$verdict" "$*"
    printf "%s\n" "${told#"$counts"}" | sed 1d
}

# All four tables of a remote; what columns it shares of companies is told.
compare_all() {
    local remote=$1 condition=$2
    shift 2
    compare "$remote" "$condition" companies "$@"
    compare "$remote" "$condition" contacts id company_id name email phone
    compare "$remote" "$condition" activities id contact_id day note
    compare "$remote" "$condition" prices article price
}

say "Every table of every remote, all rows of the shared columns:"
printf '\n%-8s %-12s %8s %10s   %-10s %s\n' remote table "its set" "it has" "" "columns compared"
compare_all alice "account_manager = 'alice'" id name city account_manager terms
compare_all bob "account_manager IN ('bob', 'dora')" id name city account_manager
echo

claim "not one of the terms has come" bob "SELECT count(*) FROM companies WHERE terms IS NOT NULL" 0
for node in "${nodes[@]}"; do
    claim "integrity_check finds nothing wrong" "$node" "PRAGMA integrity_check" ok
    claim "foreign_key_check finds nothing wrong" "$node" "PRAGMA foreign_key_check" ""
    claim "there are four tables and no more" "$node" \
        "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'
         AND substr(name, 1, 10) <> '_packhorse' ORDER BY name" $'activities\ncompanies\ncontacts\nprices'
done

$equal || stop "a remote does NOT equal its set"
