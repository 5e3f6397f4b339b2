# shellcheck shell=bash
# A company goes from one manager to another, with all that follows it, while its old manager still works on it.

stage "5. A company changes hands"

say "The office gives Northern Timber to Bob. Alice does not know it yet: she notes an order and a new address."
at hq "${sql[@]}" crm.db "UPDATE companies SET account_manager = 'bob' WHERE id = 2"
at alice "${sql[@]}" crm.db "UPDATE contacts SET email = 'siri.lund@timber.example' WHERE id = 3"
at alice "${sql[@]}" crm.db "INSERT INTO activities (contact_id, day, note) VALUES (3, '2026-10-11', 'ordered 40')"

say "The company, its people and their activities leave one set and enter the other, with nothing more than that edit."
at hq packhorse sync
at hq packhorse queue list
at bob packhorse sync
at bob "${sql[@]}" crm.db "SELECT id, name, city, account_manager FROM companies"

say "At Alice's it is taken off, which is no deletion; what she added goes to the office first, and then it goes too."
at alice packhorse sync
at hq packhorse sync
at alice packhorse sync
at bob packhorse sync
at alice "${sql[@]}" crm.db "SELECT id, name, city, account_manager FROM companies"
claim "nothing of Northern Timber is left" alice \
    "SELECT (SELECT count(*) FROM companies WHERE id = 2), (SELECT count(*) FROM contacts WHERE company_id = 2),
            (SELECT count(*) FROM activities WHERE note IN ('ordered 40', 'visited', 'met Gus', 'met Astrid'))" "0|0|0"
for node in hq bob; do
    claim "what Alice did meanwhile is not lost" "$node" \
        "SELECT email, note FROM contacts JOIN activities ON contact_id = contacts.id
         WHERE contacts.id = 3 AND day = '2026-10-11'" "siri.lund@timber.example|ordered 40"
    claim "its people and talks have come along" "$node" \
        "SELECT contacts.name, note FROM contacts JOIN activities ON contact_id = contacts.id
         WHERE company_id = 2 AND day <= '2026-10-01' ORDER BY note" \
        $'Astrid|met Astrid\nGus|met Gus\nSiri Lund|visited\nSiri Lund|wants a visit in the autumn'
done
at hq packhorse sync
