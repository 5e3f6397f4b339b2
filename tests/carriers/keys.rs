//! The keyrings of the tests.

use std::fs;

use packhorse_transport::{Access, Ending, Keyring, Secret, ServerAddress, TlsVersion, TransportError, Trust};

use crate::support::servers::{Kind, PASSWORD, Server};

/// What is needed for one server.
#[derive(Clone)]
pub struct TestKeys(pub Access);

impl TestKeys {
    /// All that the server wants.
    pub fn of(server: &Server) -> Self {
        let roots = match server.kind {
            Kind::Ftps => vec![der(&fs::read_to_string(server.file("cert.pem")).expect("a certificate"))],
            Kind::Ftp | Kind::Sftp | Kind::Accounts | Kind::SftpAccounts => Vec::new(),
        };
        Self(Access {
            user: None,
            password: matches!(server.kind, Kind::Accounts | Kind::SftpAccounts).then(|| Secret::new(PASSWORD)),
            key: Some(server.file(".ssh/id_ed25519")).filter(|_| server.kind != Kind::SftpAccounts),
            passphrase: None,
            agent: false,
            known_hosts: vec![server.file(".ssh/known_hosts")],
            trust: Trust::Roots(roots),
            tls: TlsVersion::Tls12,
        })
    }
}

impl Keyring for TestKeys {
    fn access(&self, server: &ServerAddress, _ending: &Ending) -> Result<Access, TransportError> {
        Ok(Access { user: server.user.clone(), ..self.0.clone() })
    }
}

/// The bytes in a PEM file.
pub fn der(pem: &str) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject;
    rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate").to_vec()
}
