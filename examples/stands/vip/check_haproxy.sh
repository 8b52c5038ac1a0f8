#!/usr/bin/env bash
# Whether the HAProxy on this host says yes at the path that is given. keepalived runs its scripts once a second
# at most, which is long where an address is to move within one: so this asks five times in that second, and
# ends at the first no, or where there is no answer.
for _ in 1 2 3 4 5; do
    { exec 3<>/dev/tcp/127.0.0.1/8404; } 2>/dev/null || exit 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    read -r -t 0.3 answer <&3 || exit 1
    [[ $answer == "HTTP/1."*" 200 "* ]] || exit 1
    exec 3>&-
    sleep 0.15
done
