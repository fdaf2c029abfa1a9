import Glibc
package import Laboratory

/// A machine with an init system of its own in a container, whose network the test made: a root file system that
/// `make guest` built, and above it a layer that ends with the guest.
///
/// Its kernel rules are those of the network namespace that it is booted in, so a boot in a new one is a reboot.
package final class Guest: Sendable {
    /// What a guest is made of: a folder of `.build/guest`.
    package enum Image: String, Sendable {
        /// Debian with systemd, Docker, cloud-init and an SSH server, all disabled.
        case systemd
        /// Debian with the init and the scripts of System V.
        case sysv
    }

    /// The checked-out repository, with its `.build`.
    package static let repository = String(#filePath.dropLast("/Tests/Guest/Guest.swift".utf8.count))

    private let image: String
    let folder: String

    /// - Throws: that the image is not there.
    package init(_ image: Image = .systemd) throws {
        self.image = "\(Self.repository)/.build/guest/\(image.rawValue)"
        guard unsafe access(self.image, R_OK) == 0 else {
            throw LaboratoryError("\(self.image) is not there; run: make guest")
        }
        let made = try Self.require(["mktemp", "--directory", "/tmp/ecs-netsetup-guest.XXXXXX"])
        folder = made.filter { $0 != "\n" }
    }

    deinit { _ = try? Machine.execute(["rm", "-rf", folder]) }

    // MARK: Its files, while it is not booted

    /// Runs a shell script in the guest's tree, as `chroot` does, without a network.
    ///
    /// - Returns: what it wrote to standard output.
    @discardableResult
    package func prepare(_ script: String, input: String = "") throws -> String {
        let enter = """
            mount --rbind /dev "$root/dev"
            mount -t proc proc "$root/proc"
            DEBIAN_FRONTEND=noninteractive exec chroot "$root" /bin/sh -euc "$1"
            """
        return try inTree(enter, [script], input: input)
    }

    /// Writes a file into the guest's tree.
    package func write(_ path: String, _ text: String, mode: String = "644") throws {
        try prepare("install -D -m \(mode) /dev/stdin '\(path)'", input: text)
    }

    /// Copies a file of the machine into the guest's tree.
    package func copy(_ file: String, to path: String) throws {
        try inTree("mkdir -p \"$root/$(dirname \"$2\")\" && cp --preserve=mode \"$1\" \"$root/$2\"", [file, path])
    }

    /// Runs a shell script of the machine to which `$root` is the guest's tree.
    @discardableResult
    func inTree(_ script: String, _ arguments: [String], input: String = "") throws -> String {
        let mount = """
            set -eu
            mkdir -p "\(folder)/layer" "\(folder)/work" "\(folder)/root"
            root="\(folder)/root"
            mount -t overlay overlay -o "lowerdir=\(image),upperdir=\(folder)/layer,workdir=\(folder)/work" "$root"
            \(script)
            """
        return try Self.require(
            ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", mount, "sh"] + arguments,
            input: input)
    }

    // MARK: Boot

    /// Boots it in a network namespace, and waits until its services are up.
    ///
    /// - Parameter seconds: how long to wait.
    package func boot(in network: Namespace, seconds: Int = 120) throws -> Running {
        // That of an earlier boot.
        try Self.require(["rm", "-f", "\(folder)/leader"])
        let container = try Machine.start([
            "unshare", "--mount", "--propagation", "private", "\(Self.repository)/Tests/Guest/boot", "\(getpid())",
            network.path, image, folder,
        ])
        let guest = Running(container: container, guest: self)
        do {
            try guest.waitForServices(seconds)
        } catch {
            guest.stop()
            throw error
        }
        return guest
    }

    @discardableResult
    static func require(_ words: [String], input: String = "") throws -> String {
        let result = try Machine.execute(words, input: input)
        guard result.status == 0 else {
            throw LaboratoryError("\(words.last ?? ""): status \(result.status): \(result.errors)\(result.output)")
        }
        return result.output
    }
}
