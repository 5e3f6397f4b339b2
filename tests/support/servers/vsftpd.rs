//! vsftpd, for anonymous accounts that may write: the one way in which it also runs for a user without rights.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{program, run};

pub(super) fn prepared(folder: &Path, host: &str, port: u16, is_secure: bool, more: &str) -> Option<Command> {
    let program = program("vsftpd")?;
    let config = folder.join("vsftpd.conf");
    let mut text = format!(
        "listen=YES\nlisten_address={host}\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n\
         anonymous_enable=YES\nno_anon_password=YES\nlocal_enable=NO\nanon_root={}\nwrite_enable=YES\n\
         anon_upload_enable=YES\nanon_other_write_enable=YES\nanon_mkdir_write_enable=YES\nanon_umask=022\n\
         anon_world_readable_only=NO\nsecure_chroot_dir={}\npasv_address={host}\nseccomp_sandbox=NO\n\
         allow_writeable_chroot=YES\nxferlog_enable=NO\nidle_session_timeout=600\n",
        folder.join("relay").display(),
        folder.join("empty").display(),
    );
    fs::create_dir(folder.join("empty")).expect("a folder");
    if is_secure {
        let (cert, key) = (folder.join("cert.pem"), folder.join("cert.key"));
        run(Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=localhost", "-addext", &format!("subjectAltName=IP:{host}")])
            .args(["-addext", "basicConstraints=CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&cert));
        text += &format!(
            "ssl_enable=YES\nssl_ciphers=HIGH\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\n\
             rsa_cert_file={}\nrsa_private_key_file={}\n",
            cert.display(),
            key.display()
        );
    }
    fs::write(&config, text + more).expect("a configuration");
    let mut command = Command::new(program);
    command.arg(&config);
    Some(command)
}
