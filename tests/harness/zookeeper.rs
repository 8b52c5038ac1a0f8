//! ZooKeeper under test, Debian's: one member, by which Patroni's nodes can agree.

use std::path::Path;

use crate::dir::TestDir;
use crate::port::{Port, free_port};
use crate::process::{Process, Signal};
use crate::program::Program;

const JAR: &str = "/usr/share/java/zookeeper.jar";

/// A running member. Dropping it ends it.
#[derive(Debug)]
pub struct ZooKeeper {
    process: Process,
    port: Port,
    _dir: TestDir,
}

impl ZooKeeper {
    /// Starts it, without anything in it.
    pub fn start() -> Self {
        assert!(
            Path::new(JAR).is_file(),
            "no {JAR} to test with: `apt-get install zookeeper python3-kazoo`"
        );
        let (dir, port) = (TestDir::new("zookeeper"), free_port());
        let config = format!(
            "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=500\n\
             admin.enableServer=false\n",
            dir.join("data").display()
        );
        let file = dir.write("zoo.cfg", config);
        let program = Program::at("/usr/bin/java")
            .label("zookeeper")
            .args(["-Xmx64m", "-Djava.net.preferIPv4Stack=true"])
            .args(["-cp", JAR])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(file);
        let process = program.start(&dir);
        process.wait_for_port(port.number());
        Self {
            process,
            port,
            _dir: dir,
        }
    }

    /// Where it listens, `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Has it stand still: its port accepts connections, and nobody answers.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Has it go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }
}
