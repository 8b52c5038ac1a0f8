# A program as Debian has it: HAProxy, etcd.
FROM debian:bookworm-slim
ARG PACKAGE
RUN apt-get update \
    && apt-get install -y --no-install-recommends "$PACKAGE" \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /etc/pgseal
