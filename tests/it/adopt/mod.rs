//! A shop that sells already: its customers are looked at, taken in, and keep what they have.

mod again;
mod applications;
mod apply;
mod aside;
mod came_back;
mod came_back_observed;
mod charges;
mod elsewhere;
mod kill;
mod look;
mod named;
mod noted;
mod repair;
mod repair_observed;
mod revoked;
mod second;
mod shop;
mod sources;
mod suggested;
mod unshown;
mod year;
