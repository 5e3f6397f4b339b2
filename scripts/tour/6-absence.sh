# shellcheck shell=bash
# A laptop that is away costs rows, not edits: what waits for it is replaced by what is true now.

stage "6. A laptop back after a month"

days=30
say "Bob is away for $days days. What nobody fetched for a day gives way to one fresh bundle with the latest values." \
    "The tour cannot wait for days: here a bundle counts as not fetched after a millisecond."
at hq sed -i "/^# supersede_after/c supersede_after = '1 ms'" crm.db.packhorse/packhorse.toml

# Runs statements at the office and counts the records that they change.
edits=0
edit() {
    local statement changed
    for statement in "$@"; do
        changed=$(ask hq "$statement; SELECT changes()") || stop "the office could not be edited: $statement"
        edits=$((edits + changed))
    done
}

size() { wc -c <"$1" | tr -d ' '; }

# What waits for Bob on the relay is one bundle, and another one than before.
name=
look_what_waits() {
    local waiting=(relay/bob/down/*)
    if [ ${#waiting[@]} -ne 1 ] || [ ! -f "${waiting[0]}" ] || [ "${waiting[0]##*/}" = "$name" ]; then
        stop "NOT true: one fresh bundle waits for Bob (there is ${waiting[*]})"
    fi
    name=${waiting[0]##*/}
    bytes=$(size "${waiting[0]}")
}

say "Every day the office edits what Bob shares, always the same six records, and syncs."
sealed=0
for ((day = 1; day <= days; day++)); do
    edit "UPDATE contacts SET phone = 'asked on day $day' WHERE id IN (4, 5)" \
        "UPDATE activities SET note = 'called again on day $day' WHERE id = 4" \
        "UPDATE prices SET price = price + 1"
    quietly hq packhorse sync
    look_what_waits
    sealed=$((sealed + bytes))
done
printf '    edits: %s; sealed for Bob: %s bundles, %s bytes in all\n' "$edits" "$days" "$sealed"
printf '    waiting for him on the relay: 1 bundle, %s bytes\n' "$bytes"
claim_same "six records were edited every day" "$edits" $((6 * days))
claim_same "what waits for him is a tenth of what was sealed, at most" $((10 * bytes <= sealed)) 1

say "The others are superseded, and this one says what all of them said:"
at hq packhorse queue list bob
at hq packhorse queue show "$name"
at bob packhorse inspect --values "../relay/bob/down/$name"

say "Bob has worked too, without a line. He is back, and one call brings him up to date and takes his work along."
at bob "${sql[@]}" crm.db "UPDATE contacts SET email = 'tom.quay@quay.example' WHERE id = 4"
at bob packhorse status
at bob packhorse sync
claim "he has the last day's values of each record" bob \
    "SELECT phone FROM contacts WHERE id IN (4, 5) UNION ALL SELECT note FROM activities WHERE id = 4
     UNION ALL SELECT price FROM prices WHERE article = 'pallet'" \
    "asked on day $days
asked on day $days
called again on day $days
$((13 + days))"
claim_same "nothing is left for him on the relay" "$(find relay/bob/down -type f | wc -l | tr -d ' ')" 0
at hq packhorse sync
claim "his work has come" hq "SELECT email FROM contacts WHERE id = 4" "tom.quay@quay.example"
