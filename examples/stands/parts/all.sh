# shellcheck shell=bash
# What every stand is made of. Needs `program`, its name, and the repository as working directory.

work=$(realpath --canonicalize-missing "${STAND_DIR:-.stands/$program}")
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
python=$target/demo-venv/bin/python
stand=examples/stands/$program
sabotage='' variant=''
# The ways in which it is run, side by side.
variants=(with-haproxy without-haproxy)
# What proves all but what is lost, in order.
story=()

source examples/shell/terminal.sh
source examples/shell/processes.sh
source examples/shell/packages.sh
source examples/shell/databases.sh
source examples/shell/programs.sh
source examples/shell/proofs.sh
source examples/stands/parts/network.sh
source examples/stands/parts/fleet.sh
source examples/stands/parts/asking.sh
source examples/stands/parts/command.sh
