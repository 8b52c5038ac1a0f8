# The example applications, and psql. Build it from the repository's root.
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl postgresql-client \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY sdk/python /source/sdk/python
COPY examples/python /app
RUN cd /source && pip install --no-cache-dir -r /app/requirements.txt
ENV PGUSER=postgres PGPASSWORD=test PGDATABASE=test PGHOST=127.0.0.1 PGPORT=9494 EXAMPLE_DB_PASSWORD=test
CMD ["sleep", "infinity"]
