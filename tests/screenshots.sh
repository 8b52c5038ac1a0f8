#!/usr/bin/env bash
# Makes the README's pictures of the web page, in docs/images: of the stand two-servers, on which
# applications have been at work for a minute. Needs root, as the stand does, and pngquant.
# Usage: bash tests/screenshots.sh [DIRECTORY]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export STAND_DIR=${STAND_DIR:-.stands/screenshots}
images=${1:-docs/images}
largest=150000 # bytes of a picture
seconds=90     # of work

stand() {
    bash examples/stands/two-servers.sh "$@"
}

# work PORT: an application that reads all the time, now more and now less of it.
work() {
    local step loads=(6 8 7 12 16 15 19 14 9 11 8 5)
    for ((step = 0; step < seconds * 10; step++)); do
        echo "SELECT data FROM test_example_without_zone, generate_series(1, ${loads[step / 20 % ${#loads[@]}]});"
        # Of a zone, and without its tag.
        ((step % 90 < 70)) || echo "SELECT data FROM test_example_with_zone, generate_series(1, $((step % 7)));"
        sleep 0.1
    done | stand exec python-example psql --quiet --port="$1" >/dev/null
}

# finish: ends what runs.
finish() {
    local running
    mapfile -t running < <(jobs -p)
    ((${#running[@]} == 0)) || kill "${running[@]}" 2>/dev/null || true
    wait
    stand down
}

command -v pngquant >/dev/null || {
    echo "screenshots: pngquant is missing: apt-get install pngquant" >&2
    exit 2
}
cargo build --locked --bins --package pgseal-tests
stand up without-haproxy
trap finish EXIT
stand exec python-example python example_without_zone.py --data="some data"
stand exec python-example python example_with_zone.py --data="some data"
work 9494 &
work 9495 &
mkdir -p "$images"
address=$(awk '$2 == "pgseal-webconfig" { print $1 }' "$STAND_DIR/hosts/names")
"${CARGO_TARGET_DIR:-target}/debug/pgseal-screenshots" "https://$address:8000" "$images"
for image in "$images"/*.png; do
    pngquant --force --strip --speed 1 --output "$image" "$image"
    (($(stat --format=%s "$image") <= largest)) || {
        echo "screenshots: $image is larger than $largest bytes" >&2
        exit 1
    }
done
