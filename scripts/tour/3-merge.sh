# shellcheck shell=bash
# The same record at two ends: different fields never fight, and of the same field the later value stands.

stage "3. The same record at two ends"

say "Ben Okoro gets a new mail address at the office and a telephone number from Alice. Both are right."
at hq "${sql[@]}" crm.db "UPDATE contacts SET email = 'ben.okoro@marsh.example' WHERE id = 2"
at alice "${sql[@]}" crm.db "UPDATE contacts SET phone = '07700 900 123' WHERE id = 2"

say "Both correct the city of Northern Timber too, and not alike: the office first, Alice after it."
at hq "${sql[@]}" crm.db "UPDATE companies SET city = 'Vannas' WHERE id = 2"
at alice "${sql[@]}" crm.db "UPDATE companies SET city = 'Lulea' WHERE id = 2"

say "Fields are merged one by one. That one field was changed at both ends is told: there is something to look at."
at alice packhorse sync
at_ending 3 hq packhorse sync
at_ending 3 alice packhorse sync
at hq packhorse sync
at hq packhorse status
for node in hq alice; do
    claim "Ben has both the address and the number" "$node" "SELECT * FROM contacts WHERE id = 2" \
        "2|1|Ben Okoro|ben.okoro@marsh.example|07700 900 123"
    claim "the later city stands" "$node" "SELECT city FROM companies WHERE id = 2" "Lulea"
done
