//! Pack: the selected changes as the members of a bundle, and the manifest that goes before them.

use packhorse_shared::bundle::{Addressee, BundleWriter, CONFIG, Counts, FORMAT, Kind, Manifest, columns};
use packhorse_shared::id::{Digest, NetworkId, NodeId, NodeName};
use packhorse_shared::link::Header;
use packhorse_shared::replica::SharedTable;

use crate::error::BundlerError;
use crate::select::Selection;

/// Who sends to whom.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The network of both.
    pub network: NetworkId,
    /// The sender.
    pub from: &'a NodeName,
    /// The sender's installation.
    pub node: NodeId,
    /// The receiver.
    pub to: &'a NodeName,
    /// Which of its installations.
    pub addressee: Addressee,
}

/// The members of a bundle, in the order of its tables.
pub fn members(selection: &Selection, sender: NodeId) -> Result<BundleWriter<'static>, BundlerError> {
    let mut writer = BundleWriter::new();
    if let Some(terms) = &selection.terms {
        writer.bytes(CONFIG, terms.clone());
    }
    for changes in &selection.tables {
        let bytes = columns::encode(changes, sender)
            .map_err(|source| BundlerError::Columns { table: changes.table.clone(), source })?;
        writer.bytes(columns::member_name(changes.passage, &changes.table), bytes);
        if changes.passage.is_for_people() {
            writer.optional();
        }
    }
    Ok(writer)
}

/// The manifest of a bundle; the writer adds the list of members.
pub fn manifest(route: Route<'_>, header: Header, selection: &Selection, tables: &[SharedTable]) -> Manifest {
    Manifest {
        format: FORMAT,
        kind: Kind::Bundle,
        network: route.network,
        from: route.from.clone(),
        to: route.to.clone(),
        addressee: route.addressee,
        node: route.node,
        header: Some(header),
        counts: counts(selection),
        schema: schema_fingerprint(tables),
        set: set_fingerprint(tables),
        members: Vec::new(),
    }
}

fn counts(selection: &Selection) -> Counts {
    Counts {
        records: selection.records(),
        fields: selection.tables.iter().map(|table| table.field_count()).sum(),
        deletes: selection.tables.iter().map(|table| table.deleted_count()).sum(),
    }
}

/// A number that differs when the shared tables' names, keys or columns do.
pub fn schema_fingerprint(tables: &[SharedTable]) -> u64 {
    let lists = tables.iter().map(|table| {
        let shape = &table.shape;
        let columns = table.columns.iter().filter_map(|at| shape.columns.get(*at)).map(|column| column.name.as_str());
        let names = std::iter::once(shape.name.as_str()).chain(shape.keys.iter().map(String::as_str));
        names.chain(["|"]).chain(columns).map(|name| format!("{}:{name}", name.len())).collect::<String>()
    });
    fingerprint(lists.collect())
}

/// A number that differs when the shared tables do.
pub fn set_fingerprint(tables: &[SharedTable]) -> u64 {
    fingerprint(tables.iter().map(|table| format!("{}:{}", table.shape.name.len(), table.shape.name)).collect())
}

fn fingerprint(mut parts: Vec<String>) -> u64 {
    parts.sort_unstable();
    let digest = Digest::of(parts.concat().as_bytes());
    digest.0.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
