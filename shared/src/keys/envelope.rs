//! The envelope around a bundle or package: age encryption to its receiver, or with a passphrase.
//!
//! Owns that a header from outside takes no more memory than `HEADER_MAX`. Leaves the format to the age crate: `age -d`
//! opens what is sealed here. What is handed out before the end of a file may have been cut off there: a reader believes
//! it only when it has seen the end.

use std::cell::Cell;
use std::io::{self, BufRead, Read, Write};
use std::iter::once;
use std::rc::Rc;

use age::secrecy::SecretString;
use age::stream::StreamWriter;
use age::{DecryptError, Decryptor, Encryptor};

use super::{NodeKeys, Passphrase, PublicKeys};

/// What a sealed file begins with.
const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// The longest header that is read, in bytes. Ours have about 200.
const HEADER_MAX: usize = 16 << 10;

/// How much work it is to try a passphrase, as a power of two: as much as age itself asks for, a second and 256 MiB or so.
const WORK: u8 = 18;

/// Why an envelope cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is for other keys.
    #[error("it is not sealed to this node's keys")]
    ForOthers,
    /// There are no keys to open it with.
    #[error("it is sealed, and can be opened only with the keys of the node that it is for")]
    NoKeys,
    /// It is sealed with a passphrase, and none was given.
    #[error("it is sealed with a passphrase")]
    NeedsPassphrase,
    /// It is sealed with another one.
    #[error("the passphrase is not the one that it was sealed with")]
    WrongPassphrase,
    /// To try its passphrase would take more memory than is given for a file from outside.
    #[error("it asks for more work to try its passphrase than any package of ours")]
    ExcessiveWork,
    /// It is not an envelope that age could have made.
    #[error("its envelope is damaged")]
    Damaged,
    /// The file could not be read.
    #[error("it could not be read")]
    Io(#[source] io::Error),
}

/// Whether what begins so is sealed.
pub(crate) fn is_one(beginning: &[u8]) -> bool {
    let magic = beginning.get(..MAGIC.len()).unwrap_or(beginning);
    !magic.is_empty() && MAGIC.starts_with(magic)
}

/// For whom a file is sealed.
#[derive(Clone, Copy, Debug)]
pub enum SealedTo<'a> {
    /// A node.
    Keys(&'a PublicKeys),
    /// Whoever knows a passphrase.
    Passphrase(&'a Passphrase),
}

/// Seals what is written; [`StreamWriter::finish`] ends it.
///
/// # Errors
/// Those of the target.
pub fn seal<W: Write>(to: SealedTo<'_>, target: W) -> io::Result<StreamWriter<W>> {
    let recipient: Box<dyn age::Recipient> = match to {
        SealedTo::Keys(keys) => Box::new(keys.recipient().ok_or(io::ErrorKind::InvalidInput)?),
        SealedTo::Passphrase(passphrase) => {
            let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.reveal()));
            recipient.set_work_factor(WORK);
            Box::new(recipient)
        }
    };
    let encryptor = Encryptor::with_recipients(once(&*recipient));
    encryptor.map_err(io::Error::other)?.wrap_output(target)
}

/// Opens an envelope with whichever of these it takes; errors of reading on tell that it is damaged, or cut off.
///
/// # Errors
/// [`EnvelopeError`].
pub fn open<'r>(
    keys: Option<&NodeKeys>,
    passphrase: Option<&Passphrase>,
    sealed: impl BufRead + 'r,
) -> Result<Box<dyn Read + 'r>, EnvelopeError> {
    let left = Rc::new(Cell::new(HEADER_MAX));
    let decryptor = Decryptor::new_buffered(HeaderBounded { inner: sealed, left: left.clone() }).map_err(told)?;
    let opened = if decryptor.is_scrypt() {
        let passphrase = passphrase.ok_or(EnvelopeError::NeedsPassphrase)?;
        let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.reveal()));
        identity.set_max_work_factor(WORK);
        decryptor.decrypt(once(&identity as &dyn age::Identity)).map_err(told_of_passphrase)?
    } else {
        let keys = keys.ok_or(EnvelopeError::NoKeys)?;
        let identity = keys.identity().ok_or(EnvelopeError::ForOthers)?;
        decryptor.decrypt(once(&identity as &dyn age::Identity)).map_err(told)?
    };
    left.set(usize::MAX);
    Ok(Box::new(opened))
}

fn told_of_passphrase(error: DecryptError) -> EnvelopeError {
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => EnvelopeError::WrongPassphrase,
        DecryptError::ExcessiveWork { .. } => EnvelopeError::ExcessiveWork,
        other => told(other),
    }
}

fn told(error: DecryptError) -> EnvelopeError {
    match error {
        DecryptError::Io(error) if is_of_the_content(&error) => EnvelopeError::Damaged,
        DecryptError::Io(error) => EnvelopeError::Io(error),
        DecryptError::NoMatchingKeys => EnvelopeError::ForOthers,
        _ => EnvelopeError::Damaged,
    }
}

/// Whether a failed reading tells of what was read, and not of the disk.
fn is_of_the_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

/// Hands out so much and no more, until the header is over: what follows is read with bounds of its own.
struct HeaderBounded<R> {
    inner: R,
    left: Rc<Cell<usize>>,
}

impl<R: BufRead> BufRead for HeaderBounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.left.get();
        let found = self.inner.fill_buf()?;
        Ok(found.get(..left).unwrap_or(found))
    }

    fn consume(&mut self, count: usize) {
        self.inner.consume(count);
        self.left.set(self.left.get().saturating_sub(count));
    }
}

impl<R: BufRead> Read for HeaderBounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}
