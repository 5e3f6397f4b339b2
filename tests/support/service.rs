//! Services that a test starts and ends, and the waiting for what they do by themselves.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Scene;

/// What has not come by then never comes. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

/// A running `packhorse watch`; ended when it is dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts one on a node, with these options.
    pub fn start(scene: &Scene, node: &str, options: &[&str]) -> Self {
        Self::start_with(scene, node, options, &[])
    }

    /// The same in an environment of these values. What it tells goes to `NODE.log`, after what is there.
    pub fn start_with(scene: &Scene, node: &str, options: &[&str], environment: &[(&str, &str)]) -> Self {
        let log = scene.path(&format!("{node}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("a file for the log");
        let before = std::fs::read_to_string(&log).expect("the log").len();
        let mut command = scene.command();
        command.arg("--home").arg(scene.home(node)).arg("watch").args(options);
        let child = command.envs(environment.iter().copied()).stderr(file).spawn().expect("the service starts");
        let service = Self { child, log };
        service.until("the service has begun", |log| log[before..].contains("has begun"));
        service
    }

    /// Waits until the service has told of something.
    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        wait(|| is_so(&self.log()), || format!("it never came that {what}: {}", self.log()));
    }

    /// What it and those before it have told on standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("the service is ours").is_none()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(line).status().expect("a shell runs").success());
    }

    /// Asks it to stop, and waits for it; how it ended.
    pub fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.end()
    }

    /// Waits for its end; how it ended.
    pub fn end(&mut self) -> i32 {
        until("the service has ended", || self.child.try_wait().expect("the service is ours").is_some());
        self.child.wait().expect("the service is ours").code().unwrap_or(-1)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().expect("the service is killed");
        self.child.wait().expect("the service is ours");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, is_so: impl FnMut() -> bool) {
    wait(is_so, || format!("it never came that {what}"));
}

#[track_caller]
fn wait(mut is_so: impl FnMut() -> bool, never: impl Fn() -> String) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{}", never());
        sleep(PAUSE);
    }
}
