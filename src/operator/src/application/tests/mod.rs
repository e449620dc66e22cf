//! Plans as text: each case is a world that differs from a converged one, and the plan that it must get.

pub(super) mod fixture;
mod plans;
mod statuses;
