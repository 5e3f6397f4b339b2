# shellcheck shell=bash
# What an edit becomes: a small sealed file, looked into before it goes, one each way.

stage "2. Edits on all sides, and a bundle each way"

say "All three work, and none can see the others. The programs that write need not know of Packhorse."
at hq "${sql[@]}" crm.db "UPDATE prices SET price = 13 WHERE article = 'pallet'"
at alice "${sql[@]}" crm.db "UPDATE contacts SET name = 'Ada Marsh-Bell' WHERE id = 1"
at alice "${sql[@]}" crm.db "INSERT INTO activities (contact_id, day, note) VALUES (3, '2026-09-15', 'visited')"
at alice "${sql[@]}" crm.db "DELETE FROM activities WHERE id = 3"
at bob "${sql[@]}" crm.db "UPDATE contacts SET phone = '0117 555 020' WHERE id = 4"

say "Without a line Alice seals what she has: only what changed, in a file that is checked whole when it arrives."
at alice packhorse bundle --now
at alice packhorse queue list
at alice packhorse status
up=(alice/crm.db.packhorse/outbox/hq/*.bundle)
say "It is sealed to the office, which alone can open it."
at hq packhorse inspect --values "../${up[0]}"

say "The office seals one for each laptop: the new price. Of Alice's edits it knows nothing yet."
at hq packhorse bundle --now
down=(hq/crm.db.packhorse/outbox/alice/*.bundle)
at alice packhorse inspect --values "../${down[0]}"

say "The three steps are commands of their own, and sync does all of them. Nobody has to be online with anybody:" \
    "Alice carries hers to the relay, the office comes by later, and Alice gets its answer another time."
at alice packhorse transfer
at hq packhorse sync
at hq packhorse queue list
at alice packhorse transfer
at alice packhorse status
at alice packhorse apply
at bob packhorse sync
everybody_syncs

claim "what Alice changed, added and deleted has come, and what Bob changed" hq \
    "SELECT name FROM contacts WHERE id = 1 UNION ALL SELECT phone FROM contacts WHERE id = 4
     UNION ALL SELECT note FROM activities WHERE day = '2026-09-15'
     UNION ALL SELECT count(*) FROM activities WHERE id = 3" $'Ada Marsh-Bell\n0117 555 020\nvisited\n0'
for node in alice bob; do
    claim "the new price has come" "$node" "SELECT price FROM prices WHERE article = 'pallet'" 13
done
