# shellcheck shell=bash
# How the tour tells and checks: commands with what they print, and claims that stop it when they are not true.
# The stages are sourced after this, in the tour's folder, where hq, alice and bob are folders of their own.

nodes=(hq alice bob)
claims=0

packhorse() { "$binary" "$@"; }

# Plain SQL goes through SQLite's own shell or, where that cannot be had, through a few lines of Python.
if "$scripts/needs" sqlite3; then
    sql=(sqlite3)
else
    "$scripts/needs" python3
    echo "going on with Python's SQLite instead" >&2
    sql=(python3 "$scripts/tour/sql.py")
fi

stage() { printf '\n\n==== %s ====\n' "$*"; }

# What is shown next and why, a line for each argument.
say() { printf '\n' && printf '== %s\n' "$@"; }

stop() {
    printf '\nthe tour stops here: %s\n' "$*" >&2
    exit 1
}

# As it would be typed: `at` prints this before the command's output.
typed() {
    local node=$1 word
    shift
    printf '\n%s $' "$node"
    for word in "$@"; do
        case $word in
            *[!a-zA-Z0-9_./=:-]*) printf ' "%s"' "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}

# Runs a command in the folder of one node: shows it, and what it prints indented below it.
at() { at_ending 0 "$@"; }

# The same for a command that ends with another status, as 3 says that there is something for people to look at.
at_ending() {
    local want=$1 node=$2 status=0
    shift 2
    typed "$node" "$@"
    (cd "$node" && "$@" </dev/null 2>&1) | sed 's/^/    /' || status=$?
    [ "$status" -eq "$want" ] || stop "this command ended with status $status and not $want"
    [ "$want" -eq 0 ] || printf '    (exit status %s)\n' "$want"
}

# Runs a command without showing it, for what has been shown once. What it printed is told if it fails.
quietly() {
    local node=$1 told status=0
    shift
    told=$(cd "$node" && "$@" </dev/null 2>&1) || status=$?
    [ "$status" -eq 0 ] || stop "at $node, $* ended with status $status: $told"
}

# What a query answers at one node.
ask() { "${sql[@]}" "$1/crm.db" "$2" </dev/null; }

# A claim of the tour: the query has this answer at this node, or the tour stops.
claim() {
    local sentence=$1 node=$2 query=$3 want=$4 got
    got=$(ask "$node" "$query") || stop "a check could not be made: $query"
    [ "$got" = "$want" ] || stop "NOT true at $node: $sentence
$query
    answered: $got
    expected: $want"
    checked "$node: $sentence"
}

# The same of what is no query: two words that must be equal.
claim_same() {
    [ "$2" = "$3" ] || stop "NOT true: $1 (there is \"$2\" and not \"$3\")"
    checked "$1"
}

checked() {
    claims=$((claims + 1))
    printf '    checked: %s\n' "$1"
}

# Everybody syncs, each in its own time: the laptops leave what they have, the office merges it, and they get the rest.
everybody_syncs() {
    local node
    for node in alice bob hq alice bob; do at "$node" packhorse sync; done
}
