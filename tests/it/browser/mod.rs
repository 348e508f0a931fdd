//! Pages as people see them: in a real browser, on a phone, in the dark, without scripts.

mod portal;
mod preview;
mod success;
mod walk;
