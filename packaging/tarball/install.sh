#!/bin/sh
# Installs ecs-netsetup from this folder, or takes it away again. For hosts without a package for it, such as legacy Amazon
# Linux.
#
# usage: ./install.sh              install
#        ./install.sh --uninstall  take back what apply did, and delete what was installed
#
# DESTDIR names the folder of an image; without it, the root folder is meant.
set -eu
# Everybody may read what is installed, and the folders made for it.
umask 022

here=$(cd "$(dirname "$0")" && pwd)
private=usr/lib/ecs-netsetup
unit=ecs-netsetup.service

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# Without links, and empty for /.
root=$(cd -P "${DESTDIR:-/}" 2>/dev/null && pwd -P) || fail "$DESTDIR is no folder"
root=${root%/}

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
    [ -d "$root/usr" ] || fail "$root has no folder usr: DESTDIR is to be the root folder of an image"
    [ -w "$root/usr" ] || fail "cannot write to $root/usr: run as root, on a file system that is mounted to be written to"
    check_folders
    check_owner
    [ -e /proc/self/exe ] || fail "/proc is missing: mount it first"
    loader=$(echo "$here/files/$private"/ld-*)
    said=$("$loader" --library-path "$here/files/$private" "$here/files/usr/sbin/ecs-netsetup" --version 2>&1) \
        || fail "the program does not start on this $(uname -m) host with Linux $(uname -r): $said"
}

# An absolute link of an image means another folder before the image is booted: one of this host.
check_folders() {
    files | sed 's|/[^/]*$||' | sort -u | while read -r folder; do
        folder=$root/$folder
        until [ -e "$folder" ] || [ -L "$folder" ]; do folder=$(dirname "$folder"); done
        case $(cd -P "$folder" 2>/dev/null && pwd -P) in
        "$root"/*) ;;
        *) fail "$folder is no folder of $root/" ;;
        esac
    done
}

# A package's files are the package manager's business.
check_owner() {
    program=/usr/sbin/ecs-netsetup
    if dpkg-query --admindir="$root/var/lib/dpkg" -S $program >/dev/null 2>&1 || rpm_owns $program; then
        fail "$root$program belongs to a package: remove that first"
    fi
}

# rpm makes its database where there is none.
rpm_owns() {
    database=$(rpm --eval %_dbpath 2>/dev/null) && [ -e "$root$database" ] && rpm --root "$root/" -qf "$1" >/dev/null 2>&1
}

install_files() {
    files | while read -r file; do install_file "$file" || exit 1; done
}

install_file() {
    mode=644
    if [ -x "$here/files/$1" ]; then mode=755; fi
    # Beside it first, so that a program that runs is replaced and not written into.
    mkdir -p "$root/$(dirname "$1")" \
        && install -T -m $mode "$here/files/$1" "$root/$1.new" \
        && mv -fT "$root/$1.new" "$root/$1"
}

# Whether apply left something.
applied() { [ -e "$root/var/lib/ecs-netsetup/record" ] || [ -e "$root/etc/sysctl.d/90-ecs-netsetup.conf" ]; }

# What apply did goes first: it would raise route_localnet at the next boot without the guard.
take_back() {
    program=$root/usr/sbin/ecs-netsetup
    if [ ! -x "$program" ]; then
        if applied; then fail "$program is missing, and what apply did is still there: run ./install.sh first"; fi
    elif [ -n "$root" ]; then
        # The image's program asks for its loader below /.
        "$loader" --library-path "$here/files/$private" "$program" remove --root "$root" || fail "nothing was deleted"
    else
        # With --root /, in a chroot and in the build of an image, only files.
        "$program" remove --root / || fail "nothing was deleted"
    fi
}

delete_files() {
    files | while read -r file; do
        rm -f "$root/$file" "$root/$file.new"
        # Folders that are empty now.
        (cd "$root/" && rmdir -p "$(dirname "$file")" 2>/dev/null) || :
    done
}

# Lets systemd read its units anew, on a host that it booted.
reload_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ] || return 0
    systemctl --quiet daemon-reload || :
}

# A unit that is active applies the settings once more, so that the live rules are those that this program would install.
reload_unit() {
    [ -z "$root" ] && [ -d /run/systemd/system ] && systemctl --quiet is-active $unit || return 0
    systemctl reload $unit || echo "$unit could not be reloaded: see journalctl -u $unit" >&2
}

case ${1:-} in
"")
    check
    install_files || fail "not everything was installed: run it again, or with --uninstall, which deletes what was"
    reload_systemd
    reload_unit
    echo "installed $said; next: ecs-netsetup apply --mode bridge --bridge-interface docker+,br-+${root:+ --root $root}"
    ;;
--uninstall)
    check
    take_back
    delete_files
    reload_systemd
    ;;
*) fail "unknown option $1; usage: ./install.sh [--uninstall]" ;;
esac
