# shellcheck shell=bash
# What has to be there before anything can be built or run: Rust's toolchain, packages of the
# system, and packages of Python. Needs terminal.sh and processes.sh.

missing=()

# need PACKAGE WHAT_FOR COMMAND...: notes that the package is missing if the command fails.
need() {
    local package=$1 purpose=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        missing+=("$package")
        detail "$(printf '%-16s is missing: %s' "$package" "$purpose")"
    fi
}

# install_missing: installs what `need` has noted, as root or through sudo.
install_missing() {
    ((${#missing[@]})) || return 0
    local install="apt-get install -y --no-install-recommends ${missing[*]}" as_root=()
    command -v apt-get >/dev/null ||
        refuse "please install what is missing, with this system's package manager"
    if ((EUID != 0)); then
        as_root=(sudo -n)
        sudo -n true 2>/dev/null || refuse "run: sudo sh -c 'apt-get update && $install'"
    fi
    detail "$install"
    complete packages "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        sh -c "apt-get -q -o Acquire::Retries=3 update && $install"
    missing=()
}

# need_basics: what the demo and the tests both need.
need_basics() {
    command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null || refuse "Rust's toolchain is missing: see https://rustup.rs"
    need build-essential "aws-lc and SQLite are built from C" command -v cc
    if [[ -z ${PGSEAL_POSTGRES_BIN_DIR:-} ]]; then
        need postgresql "the databases (its own cluster on port 5432 is left alone)" find_postgres
    fi
    need python3-venv "the Python examples" python3 -c 'import ensurepip, venv'
}

# find_postgres: sets `postgres` to the directory of the newest PostgreSQL's programs.
find_postgres() {
    postgres=${PGSEAL_POSTGRES_BIN_DIR:-}
    if [[ -z $postgres ]]; then
        postgres=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort | tail -n1)
        [[ -x $postgres/initdb ]] || postgres=$(dirname "$(command -v initdb)")
    fi
    [[ -x $postgres/initdb && -x $postgres/psql ]]
}

# python_with DIRECTORY DEPENDS_ON INSTALL...: makes a virtual environment unless it is there, and
# made from the same. DEPENDS_ON are files and directories, separated by blanks.
python_with() {
    local directory=$1 depends_on=$2 stamp
    shift 2
    # shellcheck disable=SC2086 # several paths
    stamp=$(
        printf '%s\n' "$directory" "$*" "$(python3 --version)"
        find $depends_on -type f -not -name '*.pyc' -exec sha256sum {} + | sort
    )
    if [[ -e $directory/stamp && $(<"$directory/stamp") == "$stamp" ]]; then
        return
    fi
    rm -rf "$directory"
    complete python python3 -m venv "$directory"
    complete python "$directory/bin/python" -m pip --disable-pip-version-check install "$@"
    printf '%s\n' "$stamp" >"$directory/stamp"
}
