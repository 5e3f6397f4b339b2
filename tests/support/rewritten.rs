//! Bundles and packages with another manifest, as a sender that means no good, or a later version, could seal them.

use packhorse_shared::bundle::{BundleReader, BundleWriter, Limits, Manifest, Opening};

/// The file again, whole and sound, with another manifest.
pub fn rewritten(bytes: &[u8], alter: &dyn Fn(&mut Manifest)) -> Vec<u8> {
    let (mut manifest, members) =
        BundleReader::read_all(bytes, Limits::PACKAGE, &Opening::default(), |_| true).expect("a sound file");
    alter(&mut manifest);
    let mut writer = BundleWriter::new();
    for (name, content) in members {
        writer.bytes(name, content);
    }
    let mut written = Vec::new();
    writer.write(manifest, &mut written).expect("bytes take it");
    written
}
