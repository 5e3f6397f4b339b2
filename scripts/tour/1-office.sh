# shellcheck shell=bash
# The office's database becomes the hub; each laptop starts from a package with its own part of it.

stage "1. The office, and two laptops with different sets"

say "The office has a CRM database. It is an ordinary SQLite file, and stays one: every program goes on as before."
at hq "${sql[@]}" crm.db "
CREATE TABLE companies (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, account_manager TEXT, terms TEXT);
CREATE TABLE contacts (id INTEGER PRIMARY KEY, company_id INTEGER NOT NULL REFERENCES companies(id),
    name TEXT NOT NULL, email TEXT, phone TEXT);
CREATE TABLE activities (id INTEGER PRIMARY KEY, contact_id INTEGER NOT NULL REFERENCES contacts(id),
    day TEXT NOT NULL, note TEXT);
CREATE TABLE prices (article TEXT PRIMARY KEY, price NUMERIC);
INSERT INTO companies VALUES
    (1, 'Marsh & Daughters', 'Exeter', 'alice', '30 days'), (2, 'Northern Timber', 'Umea', 'alice', 'pays late'),
    (3, 'Quay Stores', 'Bristol', 'bob', '60 days'), (4, 'Hill Farm', 'Leeds', 'dora', 'cash only'),
    (5, 'The Old Mill', 'Hull', NULL, 'closed');
INSERT INTO contacts VALUES
    (1, 1, 'Ada Marsh', 'ada@marsh.example', '01392 555 010'), (2, 1, 'Ben Okoro', 'ben@marsh.example', NULL),
    (3, 2, 'Siri Lund', 'siri@timber.example', NULL), (4, 3, 'Tom Quay', 'tom@quay.example', NULL),
    (5, 4, 'Una Hill', 'una@hill.example', NULL), (6, 5, 'Max Mill', NULL, NULL);
INSERT INTO activities VALUES
    (1, 1, '2026-09-01', 'asked for a price list'), (2, 3, '2026-09-03', 'wants a visit in the autumn'),
    (3, 2, '2026-09-07', 'sent to the wrong address'), (4, 4, '2026-09-08', 'ordered rope');
INSERT INTO prices VALUES ('pallet', 12.5), ('rope', 3), ('tarpaulin', 48);"

say "It becomes the main database. The relay is a folder that all can reach, each in its own time."
at hq packhorse init --database crm.db --name hq --relay "$place/relay"

say "A manager's laptop has her companies, with their contacts and the activities of these, and the price list."
at hq packhorse set add sales --table companies --where "account_manager = :user" \
    --table contacts --follow company_id --table activities --follow contact_id --table prices

say "An agent serves several territories, and is not to see on what terms the companies buy: a set of his own."
at hq packhorse set add agent --table companies --columns name,city,account_manager \
    --where "account_manager IN (:territories)" \
    --table contacts --follow company_id --table activities --follow contact_id --table prices
at hq packhorse set lint

say "Alice shares the one, Bob the other. A package is a database, and all that its link needs."
at hq packhorse remote add alice --set sales --param user=alice
at hq packhorse remote add bob --set agent --param territories=bob --param territories=dora
at hq packhorse remote pack --all -o packages --no-passphrase
at alice packhorse restore ../hq/packages/alice.rdb --database crm.db
at bob packhorse restore ../hq/packages/bob.rdb --database crm.db

say "Neither has anything of the other's, and nobody but the office has what belongs to no manager."
at alice "${sql[@]}" crm.db "SELECT * FROM companies"
at bob "${sql[@]}" crm.db "SELECT * FROM companies"
claim "she has her companies with their people" alice \
    "SELECT companies.id, terms, contacts.id FROM contacts JOIN companies ON companies.id = company_id ORDER BY 3" \
    $'1|30 days|1\n1|30 days|2\n2|pays late|3'
claim "he has those of both territories, without their terms" bob \
    "SELECT companies.id, terms, contacts.id FROM contacts JOIN companies ON companies.id = company_id ORDER BY 3" \
    $'3||4\n4||5'
claim_same "not a byte of the terms or of the others' companies is in his folder" \
    "$(grep -rlaE '(30|60) days|pays late|cash only|Marsh|Timber|Old Mill' bob || true)" ""
