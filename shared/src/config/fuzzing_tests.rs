//! The configuration's reader and edits, on what is nearly a configuration.

use super::fuzzing;
use super::tests::DESIGNED;
use crate::bending::holds;

const SMALL: [&str; 5] = [
    "[node]\nname = \"hq\"\ndatabase = \"a.db\"\n",
    "node = { name = \"hq\", database = \"a.db\", accept = false }\n",
    "node.name = 'a'\nnode.database = 'b'\nremote.c.set = 'everything'\n",
    "[node]\nname = \"hq\"\r\ndatabase = \"a\\u00e4.db\"\r\nrelay = [\n  \"file:///a\", # one\n]\r\n[remote.a]\r\nset='everything'\r\n# end",
    "[access.\"host:22\"]\nuser = \"u\"\n[node]\nname = \"hq\"\ndatabase = \"a.db\"\n[hooks]\n[log]\n",
];

#[test]
fn whatever_stands_in_a_configuration() {
    let good: Vec<Vec<u8>> = SMALL.iter().chain(&[DESIGNED]).map(|text| text.as_bytes().to_vec()).collect();
    holds("config", fuzzing::config, &good, 600);
}
