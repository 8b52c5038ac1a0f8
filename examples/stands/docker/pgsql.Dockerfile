# A PostgreSQL primary or replica, and beside it who tells HAProxy what it is. Build it from the
# repository's root.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-15 python3 \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --mode=700 --owner=postgres /data
COPY examples/stands/check_database.py examples/stands/docker/run-database.sh /usr/local/bin/
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/data LC_ALL=C.UTF-8
USER postgres
ENTRYPOINT ["run-database.sh"]
