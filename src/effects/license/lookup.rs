//! look-up
