#!/bin/sh
# Installs ecs-netsetup from this folder, or takes it away again. For hosts without a package for it, such as legacy Amazon
# Linux.
#
# usage: ./install.sh              install
#        ./install.sh --uninstall  take back what apply did, and delete what was installed
#
# DESTDIR names the folder of an image; without it, the running host is meant.
set -eu

root=${DESTDIR:-}
here=$(cd "$(dirname "$0")" && pwd)
private=usr/lib/ecs-netsetup

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# What is installed, without the unit where systemd is not.
files() {
    (cd "$here/files" && find . -type f) | sed 's|^\./||' | LC_ALL=C sort | while read -r file; do
        case $file in
        usr/lib/systemd/*) [ -d "$root/usr/lib/systemd/system" ] || continue ;;
        esac
        echo "$file"
    done
}

# Runs the program from where it was unpacked, by the loader and the libraries that come with it. That is all it needs:
# nothing of the host's C library, but the kernel and the processor have to be right.
check() {
    [ -d "$root/" ] || fail "$root is no folder"
    [ -w "$root/usr" ] || fail "cannot write to $root/usr: run as root"
    [ -e /proc/self/exe ] || fail "/proc is missing: mount it first"
    loader=$(echo "$here/files/$private"/ld-*)
    said=$("$loader" --library-path "$here/files/$private" "$here/files/usr/sbin/ecs-netsetup" --version 2>&1) \
        || fail "the program does not start on this $(uname -m) host with Linux $(uname -r): $said"
}

install_files() {
    files | while read -r file; do
        mkdir -p "$root/$(dirname "$file")"
        # Beside it first, so that a program that runs is replaced and not written into.
        cp "$here/files/$file" "$root/$file.new"
        mv "$root/$file.new" "$root/$file"
    done
}

# What apply did goes first: it would raise route_localnet at the next boot without the guard.
take_back() {
    program=$root/usr/sbin/ecs-netsetup
    [ -e "$program" ] || return 0
    if [ -n "$root" ]; then
        # The image's program asks for its loader below /.
        "$loader" --library-path "$here/files/$private" "$program" remove --root "$root"
    else
        "$program" remove
    fi || fail "nothing was deleted"
}

delete_files() {
    files | while read -r file; do
        rm -f "$root/$file"
        # Folders that are empty now.
        (cd "$root/" && rmdir -p "$(dirname "$file")" 2>/dev/null) || :
    done
}

case ${1:-} in
"")
    check
    install_files
    echo "installed $said; next: ecs-netsetup apply --mode bridge"
    ;;
--uninstall)
    check
    take_back
    delete_files
    ;;
*) fail "unknown option $1; usage: ./install.sh [--uninstall]" ;;
esac
