//! The scripts that run in the server, each atomic. They are called by their digest; a server that
//! has forgotten them (a restart, a failover, `SCRIPT FLUSH`) is given them again.

use ::redis::{Cmd, Script, cmd};

/// One script.
#[derive(Debug)]
pub(super) struct Stored {
    code: &'static str,
    digest: String,
}

impl Stored {
    fn new(code: &'static str) -> Self {
        let digest = Script::new(code).get_hash().to_owned();
        Self { code, digest }
    }

    /// The beginning of a call; keys and arguments follow.
    pub(super) fn call(&self, keys: usize) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(&self.digest).arg(keys);
        call
    }

    fn load(&self) -> Cmd {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.code);
        load
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) write: Stored,
    pub(super) claim: Stored,
    pub(super) release: Stored,
    pub(super) alive: Stored,
    pub(super) beat: Stored,
    pub(super) page: Stored,
    pub(super) rows: Stored,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            write: Stored::new(include_str!("scripts/write.lua")),
            claim: Stored::new(include_str!("scripts/claim.lua")),
            release: Stored::new(include_str!("scripts/release.lua")),
            alive: Stored::new(include_str!("scripts/alive.lua")),
            beat: Stored::new(include_str!("scripts/beat.lua")),
            page: Stored::new(include_str!("scripts/page.lua")),
            rows: Stored::new(include_str!("scripts/rows.lua")),
        }
    }

    /// What gives a server all of them.
    pub(super) fn load(&self) -> Vec<Cmd> {
        let all = [
            &self.write,
            &self.claim,
            &self.release,
            &self.alive,
            &self.beat,
            &self.page,
            &self.rows,
        ];
        all.into_iter().map(Stored::load).collect()
    }
}
