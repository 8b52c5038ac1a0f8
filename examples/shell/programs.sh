# shellcheck shell=bash
# pgseal's programs and what the examples run on: built, asked, and set up with keys.
# Needs terminal.sh, processes.sh, packages.sh, $target and $python.

# What scripts themselves are told by.
own_variables=(PGSEAL_POSTGRES_BIN_DIR PGSEAL_BUILD)

# forget_environment: no other variable of the caller's changes what the programs do.
forget_environment() {
    local name
    for name in "${!PG@}" "${!EXAMPLE_@}"; do
        [[ " ${own_variables[*]} " == *" $name "* ]] || unset "$name"
    done
    export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
}

# What is built, in which mode: the same sets everywhere, for others have dependencies with other features.
case ${PGSEAL_BUILD:=release} in
release)
    build=(--release --package=pgseal-{server,connector,keymaker,webconfig,examples})
    ;;
debug)
    build=(--workspace --bins --examples)
    ;;
*) refuse "PGSEAL_BUILD is release or debug, not $PGSEAL_BUILD" ;;
esac
built=$target/$PGSEAL_BUILD
programs=$built

# build_all: pgseal, and Python's side of the examples.
build_all() {
    step "Build pgseal, in $PGSEAL_BUILD mode"
    complete build cargo build --locked --target-dir "$target" "${build[@]}"
    detail "$(grep -c '^ *Compiling' "$work/log/build.log" || true) packages compiled"

    step "Install the Python package and examples' requirements"
    python_with "$target/demo-venv" \
        "sdk/python/pyproject.toml sdk/python/src examples/python/requirements.txt" \
        --requirement examples/python/requirements.txt
}

# new_authority: a passphrase for the CA, and where keymakers find both.
new_authority() {
    mkdir -m 700 "$work/ca"
    (umask 077 && head -c 24 /dev/urandom | base64 >"$work/ca/passphrase")
    export PGSEAL_CA_DIR=$work/ca PGSEAL_CA_PASSPHRASE_FILE=$work/ca/passphrase
}

keymaker() {
    show_command "pgseal-keymaker ${*/#"$work"/${work#"$PWD/"}}"
    logged keymaker "${as_keymaker[@]}" "$programs/pgseal-keymaker" "$@"
}

# What keymakers run behind.
as_keymaker=()

# ready PORT PATH: whether a good answer comes.
ready() {
    http "$@" >/dev/null
}

# http PORT PATH: the body of a good answer.
http() {
    local answer
    answer=$(
        { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || exit
        printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
        timeout "${patience:-30}" cat <&3
    ) && [[ $answer == "HTTP/1.1 200 "* ]] && printf '%s\n' "${answer#*$'\r\n\r\n'}"
}
