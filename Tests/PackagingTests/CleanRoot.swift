import Foundation
import Laboratory
import Testing

/// A Debian system with nothing of ours in it, to be thrown away: a layer above the one that `make test-packaging` made, in
/// network and mount namespaces of its own.
struct CleanRoot {
    /// Who runs the package manager.
    enum Setting: CaseIterable {
        /// An init of another root folder: the package is put into an image on somebody's host.
        case chroot
        /// No init: the image of a container is built.
        case build
        /// An init of this root folder.
        case booted
    }

    static let lower = FileManager.default.currentDirectoryPath + "/.build/roots/debian"
    let namespace: Namespace
    /// In the mount namespace.
    let path = "/run/root"

    init() throws {
        namespace = try Namespace("clean root", hasMounts: true)
        try namespace.require(["mkdir", path, "/run/upper", "/run/work"])
        try namespace.require([
            "mount", "-t", "overlay", "overlay", "-o", "lowerdir=\(Self.lower),upperdir=/run/upper,workdir=/run/work",
            path,
        ])
        try namespace.require(["mkdir", "-p", "\(path)/run", "\(path)/tmp"])
        // A process goes by its program's name.
        for folder in ["/run", "\(path)/run"] { try namespace.require(["ln", "-s", "/bin/sh", "\(folder)/init"]) }
    }

    /// Runs a program inside, as the setting has it, with processes of its own.
    func execute(_ words: [String], _ setting: Setting = .chroot) throws -> ProgramResult {
        let proc = "mount -t proc proc \(path)/proc"
        let isolated = ["unshare", "--pid", "--mount", "--fork", "--kill-child"]
        let command =
            switch setting {
            // What follows keeps the shell from becoming the last program of its line.
            case .chroot: ["/run/init", "-c", "\(proc) && chroot \(path) \"$@\"; exit $?"]
            case .build: ["sh", "-c", "\(proc) && exec chroot \(path) /bin/sh -c '\"$@\"; exit $?' sh \"$@\""]
            case .booted: ["sh", "-c", "\(proc) && exec chroot \(path) /run/init -c '\"$@\"; exit $?' sh \"$@\""]
            }
        return try namespace.execute(
            isolated + command + ["sh"] + words,
            environment: ["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
    }

    /// Runs a program inside that must succeed.
    @discardableResult
    func require(_ words: [String], _ setting: Setting = .chroot) throws -> String {
        let result = try execute(words, setting)
        try #require(result.status == 0, "\(words): \(result.output)\(result.errors)")
        return result.output
    }

    /// Copies a file of the machine into `/tmp`.
    func bring(_ file: String) throws { try namespace.require(["cp", file, "\(path)/tmp"]) }

    func exists(_ file: String) throws -> Bool { try namespace.execute(["test", "-e", path + file]).status == 0 }

    func read(_ file: String) throws -> String { try namespace.require(["cat", path + file]) }

    /// What is in it, a line for each name and for each file's contents, apart from where programs keep what they need
    /// while they run, and where package managers keep books.
    func snapshot() throws -> Set<String> {
        let pruned = Self.ignored.map { "-path .\($0)" }.joined(separator: " -o ")
        let shell = """
            cd \(path) && find . \\( \(pruned) \\) -prune -o -printf '%M %U:%G %p %l\\n'
            find . \\( \(pruned) \\) -prune -o -type f -print0 | xargs -0 md5sum
            """
        return Set(try namespace.require(["sh", "-c", shell]).split(separator: "\n").map(String.init))
    }

    /// Expects it to hold what it did.
    func expect(_ before: Set<String>) throws {
        let difference = try snapshot().symmetricDifference(before).sorted()
        #expect(difference == [])
    }

    private static let ignored = [
        // Processes' own.
        "/proc", "/run", "/tmp", "/dev",
        // What dpkg, apt and rpm note of what they did, with times.
        "/var/lib/dpkg", "/root/.rpmdb", "/var/lib/apt", "/var/log", "/var/cache",
        // The index of libraries, which ldconfig writes anew.
        "/etc/ld.so.cache",
    ]

    /// A table of ours, as on a host that builds an image and is an ECS host itself.
    func addTable() throws { try namespace.require(["nft", "add table inet ecs-netsetup"]) }

    /// Everybody's rules, as the machine's own nft shows them.
    func rules() throws -> String { try namespace.require(["nft", "list", "ruleset"]) }

    /// Every link to the unit, by which it would be started.
    func links() throws -> [String] {
        try namespace.require(["find", "\(path)/etc", "-name", "ecs-netsetup.service"]).split(separator: "\n")
            .map { String($0.dropFirst(path.count)) }.sorted()
    }

    /// Lets the package's scripts believe that systemd booted it: a stand-in notes what systemctl is told, and hands on
    /// what it does to files alone.
    ///
    /// - Parameter isActive: whether the unit is.
    func standInForSystemd(isActive: Bool) throws {
        let script = """
            #!/bin/sh
            echo "$*" >>/run/systemctl.log
            case "$*" in
            *is-active*) exit \(isActive ? 0 : 3) ;;
            *enable*|*disable*) exec /usr/bin/systemctl.real --root=/ "$@" ;;
            esac
            """
        let shell = """
            cd \(path) && mkdir -p run/systemd/system && rm -f run/systemctl.log
            [ -e usr/bin/systemctl.real ] || mv usr/bin/systemctl usr/bin/systemctl.real
            cat >usr/bin/systemctl && chmod 755 usr/bin/systemctl
            """
        try namespace.require(["sh", "-c", shell], input: script)
    }

    /// What systemctl was told since.
    func commands() throws -> [String] {
        try exists("/run/systemctl.log")
            ? read("/run/systemctl.log").split(separator: "\n").map(String.init) : []
    }
}

/// What `make test-packaging` built, by the end of its name.
enum Package {
    static let folder = FileManager.default.currentDirectoryPath + "/.build/packages"

    static func path(_ suffix: String, in folder: String = folder) throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(suffix) }
        try #require(names.count == 1, "one package in \(folder): \(names)")
        return "\(folder)/\(names[0])"
    }

    /// What `--version` prints.
    static func version() throws -> String { try Machine.execute([Tool.path, "--version"]).output }
}
