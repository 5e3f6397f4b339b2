# shellcheck shell=bash
# Three ends give the same numbers to different people; each comes out under a number of the hub's.

stage "4. The same number for different people"

say "Everybody meets somebody new, and notes a first talk. The numbers come from SQLite, as they always have."
met() {
    at "$1" "${sql[@]}" crm.db "INSERT INTO contacts (company_id, name) VALUES ($2, '$3');
INSERT INTO activities (contact_id, day, note) SELECT max(id), '2026-10-01', 'met $3' FROM contacts"
}
met hq 1 "Hanna"
met alice 2 "Astrid"
met bob 3 "Billy"

say "And all three type in the visitors of a fair, with the numbers of their cards: a Greta, a Gus and a Gwen have 50."
fair() {
    at "$1" "${sql[@]}" crm.db "INSERT INTO contacts (id, company_id, name) VALUES (50, $2, '$3');
INSERT INTO activities (contact_id, day, note) VALUES (50, '2026-10-01', 'met $3')"
}
fair hq 1 "Greta"
fair alice 2 "Gus"
fair bob 3 "Gwen"

say "A laptop's own numbers start far above the office's, and are not for good: Alice's and Bob's are even the same."
new="SELECT contacts.id, name, note FROM contacts JOIN activities ON contact_id = contacts.id
    WHERE day = '2026-10-01' ORDER BY name"
at alice "${sql[@]}" crm.db "$new"
at bob "${sql[@]}" crm.db "$new"
claim "two people have one number" alice "SELECT name FROM contacts WHERE id = 1000000001" Astrid
claim "two people have one number" bob "SELECT name FROM contacts WHERE id = 1000000001" Billy

say "The office gives each record that comes a number of its own, and all that refers to the record follows."
everybody_syncs
at hq "${sql[@]}" crm.db "$new"
at alice "${sql[@]}" crm.db "$new"
at bob "${sql[@]}" crm.db "$new"
talks="SELECT name, note FROM contacts JOIN activities ON contact_id = contacts.id
    WHERE day = '2026-10-01' ORDER BY name"
claim "nobody is lost, and every talk is with whom it was with" hq "$talks" \
    $'Astrid|met Astrid\nBilly|met Billy\nGreta|met Greta\nGus|met Gus\nGwen|met Gwen\nHanna|met Hanna'
claim "hers have kept theirs" alice "$talks" \
    $'Astrid|met Astrid\nGreta|met Greta\nGus|met Gus\nHanna|met Hanna'
claim "his have kept theirs" bob "$talks" $'Billy|met Billy\nGwen|met Gwen'
for node in "${nodes[@]}"; do
    claim "no number of a laptop's own is left" "$node" "SELECT count(*) FROM contacts WHERE id > 1000" 0
    claim "50 is Greta's, or nobody's here" "$node" "SELECT count(*) FROM contacts WHERE id = 50 AND name <> 'Greta'" 0
done
