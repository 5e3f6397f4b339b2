//! TLS under FTP: whom it trusts, and which versions it speaks.
//!
//! Owns the configuration that the library is given. Invariant: a certificate is always verified: against roots, or
//! against the one that was pinned; what is pinned need not name the host, nor be in its time.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, SupportedProtocolVersion, version,
};
use sha2::{Digest as _, Sha256};

use crate::access::{Access, TlsVersion, Trust};

const UP_TO_12: [&SupportedProtocolVersion; 1] = [&version::TLS12];
const UP_TO_13: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// What secures control and data connections of one session: one store of TLS sessions, as servers demand.
pub(super) fn config(access: &Access) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[&SupportedProtocolVersion] = match access.tls {
        TlsVersion::Tls12 => &UP_TO_12,
        TlsVersion::Tls13 => &UP_TO_13,
    };
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(versions).map_err(io::Error::other)?;
    let config = match &access.trust {
        Trust::Roots(roots) => builder.with_root_certificates(store(roots)?).with_no_client_auth(),
        Trust::Pinned(digest) => {
            let pin = Pin { digest: *digest, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(pin)).with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}

fn store(roots: &[Vec<u8>]) -> io::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let (added, _unfit) =
        store.add_parsable_certificates(roots.iter().map(|root| CertificateDer::from(root.as_slice())));
    if added == 0 {
        return Err(io::Error::other("there is no root certificate by which the server could be known"));
    }
    Ok(store)
}

/// Knows a server by its certificate alone.
#[derive(Debug)]
struct Pin {
    digest: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found: [u8; 32] = Sha256::digest(end_entity).into();
        if found == self.digest {
            return Ok(ServerCertVerified::assertion());
        }
        let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        Err(Error::General(format!("the server shows the certificate sha256:{found}, which is not the pinned one")))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
