extension Namespace {
    /// Where the script in place of systemctl notes what it was given.
    package static let systemctlLog = "/run/systemctl.log"

    /// Makes a host look as if systemd had booted it: the folder that `sd_booted` looks for, and in place of systemctl a
    /// script that notes its arguments and lets the real one change the links.
    ///
    /// - Parameter hook: what the script in place of systemctl does first.
    package func standInForSystemd(hook: String = "") throws {
        let script = """
            #!/bin/sh
            echo "systemctl $*" >> \(Self.systemctlLog)
            \(hook)
            case "$1" in
            enable|disable) exec /run/systemctl --root=/ "$@" ;;
            esac
            """
        try require(["mkdir", "-p", "/run/systemd/system"])
        try require(["install", "-m", "755", "/usr/bin/systemctl", "/run/systemctl"])
        try require(["install", "-m", "755", "/dev/stdin", "/run/systemctl.sh"], input: script)
        try require(["mount", "--bind", "/run/systemctl.sh", "/usr/bin/systemctl"])
    }
}
