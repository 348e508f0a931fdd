//! The whole server over time: its end, its clock, services that go, and deliveries of every kind.

mod alerts;
mod alerts_at_once;
mod alerts_of_endpoints;
mod alerts_of_orders;
mod backfill;
mod backup;
mod clock_trust;
mod corpus;
mod kill;
mod kill_again;
mod observe;
mod reparse;
mod services_seen;
mod shutdown;
mod unread;
mod unreadable;
mod waiting;
