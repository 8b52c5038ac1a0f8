# pgseal's programs. Build it from the repository's root.
FROM rust:1.95-bookworm AS build
WORKDIR /source
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cargo build --release --locked -p pgseal-server -p pgseal-connector -p pgseal-keymaker \
    -p pgseal-webconfig

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends openssl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 61500 --home-dir /etc/pgseal pgseal \
    && install --directory --mode=700 --owner=pgseal /etc/pgseal
COPY --from=build /source/target/release/pgseal-server /source/target/release/pgseal-connector \
    /source/target/release/pgseal-keymaker /source/target/release/pgseal-webconfig /usr/local/bin/
COPY examples/stands/docker/make-keys.sh /usr/local/bin/
USER pgseal
WORKDIR /etc/pgseal
