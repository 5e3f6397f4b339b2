//! MessagePack by hand, as a reader may meet it: also in forms that nobody here would write.

/// A text of up to 255 bytes.
pub fn text(text: &str) -> Vec<u8> {
    let head = match text.len() {
        short @ ..32 => vec![0xa0 | short as u8],
        long => vec![0xd9, u8::try_from(long).expect("a short text")],
    };
    [&head, text.as_bytes()].concat()
}

/// A number, in its shortest form.
pub fn number(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    match number {
        ..0x80 => vec![number as u8],
        0x80..0x100 => vec![0xcc, bytes[7]],
        0x100..0x1_0000 => [&[0xcd], &bytes[6..]].concat(),
        0x1_0000..0x1_0000_0000 => [&[0xce], &bytes[4..]].concat(),
        _ => [&[0xcf], &bytes[..]].concat(),
    }
}

/// Bytes, with the shortest length.
pub fn bin(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("not so many bytes").to_be_bytes();
    let head = match bytes.len() {
        ..0x100 => vec![0xc4, length[3]],
        0x100..0x1_0000 => [&[0xc5], &length[2..]].concat(),
        _ => [&[0xc6], &length[..]].concat(),
    };
    [head.as_slice(), bytes].concat()
}

/// A list of up to 15 things.
pub fn list(things: &[Vec<u8>]) -> Vec<u8> {
    assert!(things.len() < 16);
    [vec![0x90 | things.len() as u8], things.concat()].concat()
}

/// A map of these keys, of which there may be up to 65,535.
pub fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = match entries.len() {
        few @ ..16 => vec![0x80 | few as u8],
        many => [&[0xde][..], &u16::try_from(many).expect("a map").to_be_bytes()].concat(),
    };
    entries.iter().for_each(|(key, value)| bytes.extend([key.as_slice(), value].concat()));
    bytes
}

/// Nothing.
pub const NIL: u8 = 0xc0;

/// Yes.
pub const TRUE: u8 = 0xc3;
