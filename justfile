# Daily commands. `just --list`

# Build all programs, unoptimised.
build:
    cargo build --workspace --bins --examples

# Run the Rust tests, end to end on real PostgreSQL too; or those whose names contain a word.
test *words: build
    cargo test --workspace {{words}}

# Check format and lints, as CI does.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    shellcheck -x -a examples/demo.sh examples/stands/*.sh examples/stands/docker/*.sh examples/stands/vip/*.sh bench/failover.sh bench/run.sh tests/run.sh tests/fuzz.sh tests/chaos.sh tests/night.sh tests/screenshots.sh tests/drivers/pgbench/pgbench.sh tests/suites/postgres.sh .ci/run

# Show the whole chain on this machine; options such as --keep go through.
demo *options:
    bash examples/demo.sh {{options}}

# Run a stand: `just stand two-servers up`.
stand name *options:
    bash examples/stands/{{name}}.sh {{options}}

# Disturb the stand under Patroni at random: `just chaos 20 --variant with-haproxy`.
chaos *options:
    bash tests/chaos.sh {{options}}

# Measure pgseal beside HAProxy, stunnel and PgBouncer: `just bench --quick`.
bench *options:
    bash bench/run.sh {{options}}

# Run the fuzz targets: `just fuzz 20 rows`.
fuzz *arguments:
    bash tests/fuzz.sh {{arguments}}

# See which changes of a package none of its own tests notices: `just mutants pgseal-envelope`; needs cargo-mutants.
mutants package *options:
    nice cargo mutants --package {{package}} --output target {{options}} -- --lib --tests

# Make the README's pictures of the web page anew; as root.
screenshots:
    bash tests/screenshots.sh

# Make the documentation of all crates.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Run everything, as CI does.
all:
    bash tests/run.sh
