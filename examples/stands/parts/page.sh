# shellcheck shell=bash
# The web page on a host of its own: started, and used as a browser on this machine uses it. Needs
# fleet.sh and proofs.sh.

# start_page: by TLS, from a CA of its own. Its account is anybody's to guess, and so a stand's alone.
start_page() {
    local within role=operator tls=$work/keys/page address configuration
    address=$(address_of pgseal-webconfig)
    [[ $sabotage != viewer ]] || role=viewer
    new_certifier "$tls/page" "CA of this stand's web page"
    certify "$tls/page" page \
        "subjectAltName=DNS:pgseal-webconfig,DNS:localhost,IP:127.0.0.1,IP:$address" "/CN=pgseal-webconfig"
    configured pgseal-webconfig
    install_on pgseal-webconfig "$work"/certs/webconfig.{crt,key} "$tls"/page.{crt,key}
    on pgseal-webconfig
    logged pgseal-webconfig bash -c 'echo test | "$@"' - "${within[@]}" "$place/bin/pgseal-webconfig" \
        --config "$configuration" user add test --role "$role" --allow-weak-password
    start pgseal-webconfig pgseal-webconfig "$place/bin/pgseal-webconfig" --config "$configuration"
    await pgseal-webconfig answers_page
    detail "$(page_address) web page; user test, password test"
}

page_address() {
    printf 'https://%s:8000/' "$(address_of pgseal-webconfig)"
}

# page PATH [OPTION...]: what the page answers to curl on this machine, which knows its CA and keeps
# its cookies.
page() {
    local tls=$work/keys/page address
    address=$(page_address)
    curl --silent --show-error --fail --location --max-time "$patience" --cacert "$tls/page-ca.crt" \
        --cookie "$tls/cookies" --cookie-jar "$tls/cookies" "${@:2}" "${address%/}$1"
}

answers_page() {
    page /sign-in >/dev/null 2>&1
}

# fill_in PATH FIELD=VALUE...: sends the form of the page at this path, with what it has hidden; the
# answer is the page that it leads to.
fill_in() {
    local shown field value fields=()
    shown=$(page "$1")
    for field in token number; do
        value=$(sed -n "s/.*name=\"$field\" value=\"\([^\"]*\)\".*/\1/p" <<<"$shown" | head -n1)
        [[ -z $value ]] || fields+=(--data-urlencode "$field=$value")
    done
    for field in "${@:2}"; do
        fields+=(--data-urlencode "$field")
    done
    page "$1" "${fields[@]}"
}

# show_page: signs in, and waits until the page has heard of every server.
show_page() {
    local well
    step "Sign in to the web page, $variant"
    fill_in /sign-in name=test password=test >/dev/null
    await pgseal-webconfig all_are_shown
    well=$(page / | tell_badge)
    detail "$(page_address): $well"
    proof "the page knows every server, and all is well" "${#servers[@]}, all well" \
        "$(sed -E 's/ servers?,/,/' <<<"$well")"
}

all_are_shown() {
    [[ $(page /zone-mode | grep -o 'data-label="Zone mode"><b>off' | wc -l) == "${#servers[@]}" ]]
}

# tell_badge: the first badge of a page, which sums up.
tell_badge() {
    sed -n 's/.*<span class="badge [a-z]*">\([^<]*\)<.*/\1/p' | head -n1
}

# switch_in_page MODE PROOF: has the page switch the zone mode of all servers, and waits until they have.
# What it says is in `output`.
switch_in_page() {
    detail "in the page: zone mode $1"
    output=$(fill_in /zone-mode "mode=$1" 2>&1 | sed -n -e 's/.*role="status">\([^<]*\)<.*/\1/p' -e '/^curl/p') || true
    detail "$output"
    [[ $output != *" $1." ]] || followed
    proof "$2" "Zone mode is $1." "$output"
}
