//! The requests of the file transfer protocol.
//!
//! Owns their form: kind, number, and fields in the order of version 3. Leaves sending them to [`super::wire`].

/// What opens a file for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// To read, and of folders to sync.
    Read = 0x01,
    /// To write where there is a file.
    Write = 0x02,
    /// To write where there is none, also no link.
    Create = 0x02 | 0x08 | 0x20,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'r> {
    Open(&'r str, Opening),
    OpenFolder(&'r str),
    Close(&'r [u8]),
    Read(&'r [u8], u64, u32),
    Write(&'r [u8], u64, &'r [u8]),
    Sync(&'r [u8]),
    Look(&'r [u8]),
    /// Not following links.
    LookAt(&'r str),
    /// Following them.
    LookThrough(&'r str),
    NextNames(&'r [u8]),
    MakeFolder(&'r str),
    RemoveFolder(&'r str),
    Rename(&'r str, &'r str),
    Remove(&'r str),
}

impl Request<'_> {
    pub(super) fn packet(self, number: u32) -> Vec<u8> {
        let (kind, text): (u8, &[u8]) = match self {
            Self::Open(path, _) => (3, path.as_bytes()),
            Self::Close(handle) => (4, handle),
            Self::Read(handle, ..) => (5, handle),
            Self::Write(handle, ..) => (6, handle),
            Self::LookAt(path) => (7, path.as_bytes()),
            Self::Look(handle) => (8, handle),
            Self::OpenFolder(path) => (11, path.as_bytes()),
            Self::NextNames(handle) => (12, handle),
            Self::Remove(path) => (13, path.as_bytes()),
            Self::MakeFolder(path) => (14, path.as_bytes()),
            Self::RemoveFolder(path) => (15, path.as_bytes()),
            Self::LookThrough(path) => (17, path.as_bytes()),
            Self::Rename(from, _) => (18, from.as_bytes()),
            Self::Sync(_) => (200, b"fsync@openssh.com"),
        };
        let mut packet = vec![0, 0, 0, 0, kind];
        packet.extend(number.to_be_bytes());
        put_text(&mut packet, text);
        match self {
            // No attributes: the server's own choice of permissions.
            Self::Open(_, opening) => packet.extend([opening as u32, 0].map(u32::to_be_bytes).concat()),
            Self::MakeFolder(_) => packet.extend(0_u32.to_be_bytes()),
            Self::Read(_, at, count) => {
                packet.extend(at.to_be_bytes());
                packet.extend(count.to_be_bytes());
            }
            Self::Write(_, at, bytes) => {
                packet.extend(at.to_be_bytes());
                put_text(&mut packet, bytes);
            }
            Self::Rename(_, to) => put_text(&mut packet, to.as_bytes()),
            Self::Sync(handle) => put_text(&mut packet, handle),
            _ => {}
        }
        let length = (packet.len() - 4) as u32;
        packet.iter_mut().zip(length.to_be_bytes()).for_each(|(to, from)| *to = from);
        packet
    }
}

fn put_text(packet: &mut Vec<u8>, text: &[u8]) {
    packet.extend((text.len() as u32).to_be_bytes());
    packet.extend(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_their_form() {
        assert_eq!(Request::Close(b"ab").packet(7), [0, 0, 0, 11, 4, 0, 0, 0, 7, 0, 0, 0, 2, b'a', b'b']);
        let read = Request::Read(b"h", 258, 3).packet(1);
        assert_eq!(read.len(), 4 + 1 + 4 + 5 + 8 + 4);
        assert_eq!(read[14..], [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
        let open = Request::Open("x", Opening::Create).packet(1);
        assert_eq!(open[14..], [0, 0, 0, 0x2a, 0, 0, 0, 0]);
    }
}
