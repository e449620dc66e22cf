//! Ends the operator at a chosen writing call: nothing it does after that has any effect, until it is started again.

use std::sync::Mutex;

/// When to die: at the n-th writing call from 1, before or after its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPoint {
    pub call: usize,
    pub after: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the operator is dead")]
pub struct Blown;

#[derive(Default)]
pub struct Fuse {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    crash: Option<CrashPoint>,
    calls: usize,
    dead: bool,
}

impl Fuse {
    pub fn set(&self, crash: Option<CrashPoint>) {
        *self.state.lock().unwrap() = State { crash, ..State::default() };
    }

    /// Writing calls so far.
    pub fn calls(&self) -> usize {
        self.state.lock().unwrap().calls
    }

    pub fn is_dead(&self) -> bool {
        self.state.lock().unwrap().dead
    }

    pub fn restart(&self) {
        self.state.lock().unwrap().dead = false;
    }

    pub fn check(&self) -> Result<(), Blown> {
        if self.is_dead() { Err(Blown) } else { Ok(()) }
    }

    pub fn before(&self) -> Result<(), Blown> {
        let mut state = self.state.lock().unwrap();
        if state.dead {
            return Err(Blown);
        }
        state.calls += 1;
        state.blow_at(false)
    }

    pub fn after(&self) -> Result<(), Blown> {
        self.state.lock().unwrap().blow_at(true)
    }
}

impl State {
    fn blow_at(&mut self, after: bool) -> Result<(), Blown> {
        if self.crash == Some(CrashPoint { call: self.calls, after }) {
            self.dead = true;
            return Err(Blown);
        }
        Ok(())
    }
}
