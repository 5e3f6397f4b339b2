//! Percent escapes in addresses.
//!
//! Invariant: what comes out is text without a NUL.

/// The text with its escapes resolved, or what is wrong with them.
pub(crate) fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let pair = digit(rest.next()).zip(digit(rest.next())).map(|(high, low)| high * 16 + low);
        let decoded = pair.and_then(|value| u8::try_from(value).ok()).ok_or("a % is not followed by two hex digits")?;
        bytes.push(decoded);
    }
    let decoded = String::from_utf8(bytes).map_err(|_| "its percent escapes are not UTF-8")?;
    if decoded.contains('\0') { Err("it contains a NUL") } else { Ok(decoded) }
}
