//! TaskFlow.
