//! End-to-end tests on real PostgreSQL. The programs under test are built before:
//! `cargo build --workspace && cargo test -p pgseal-tests`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod behind_haproxy;
mod binding;
mod canary;
mod cancel;
mod certificates;
mod control_api;
mod copy;
mod database_tls;
mod databases;
mod denied;
mod drivers;
mod fleet;
mod half_open;
mod hardening;
mod harness_chains;
mod harness_cleans_up;
mod harness_disturbs;
mod harness_makes_keys;
mod harness_speaks;
mod harness_starts;
mod layering;
mod live_keys;
mod login;
mod lost;
mod many_zones;
mod metrics;
mod modes;
mod monitor;
mod nested;
mod opening;
mod operations;
mod paths;
mod patroni;
mod peers;
mod python_models;
mod refusals_in_flight;
mod replicas;
mod restart;
mod same_as_direct;
mod scripted;
mod seed_examples;
mod settings;
mod several;
mod sockets;
mod systemd;
mod tampered;
mod timeouts;
mod under_change;
mod under_pressure;
mod usage;
mod webconfig;
