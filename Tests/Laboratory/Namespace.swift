import CNamespaces
import Glibc

/// A network namespace without a name, kept by a file descriptor: it ends with the process, even one that is killed.
package final class Namespace: Sendable {
    package let name: String
    private let network: CInt
    /// With a private `/run`, `/var/lib`, `/var/log` and `/etc`, so that programs in it leave the machine's own alone; -1
    /// for none.
    private let mounts: CInt

    /// Makes a namespace with nothing but a loopback interface that is down.
    ///
    /// - Parameter hasMounts: whether it also gets a mount namespace with folders of its own.
    package init(_ name: String, hasMounts: Bool = false) throws {
        self.name = name
        (network, mounts) = try onOwnThread {
            guard unshare(CLONE_NEWNET | (hasMounts ? CLONE_NEWNS : 0)) == 0 else {
                throw LaboratoryError.system("unshare")
            }
            if hasMounts { try Self.mountPrivateFolders() }
            return (try Self.open("net"), hasMounts ? try Self.open("mnt") : -1)
        }
    }

    /// A network namespace that somebody else made.
    ///
    /// - Parameter file: such as `/proc/1/ns/net`.
    package init(_ name: String, at file: String) throws {
        self.name = name
        mounts = -1
        network = unsafe Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard network >= 0 else { throw LaboratoryError.system("open \(file)") }
    }

    deinit {
        close(network)
        if mounts >= 0 { close(mounts) }
    }

    /// How `ip link … netns` and systemd-nspawn name it.
    package var path: String { "/proc/\(getpid())/fd/\(network)" }

    private static func open(_ kind: String) throws -> CInt {
        let file = unsafe Glibc.open("/proc/thread-self/ns/\(kind)", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw LaboratoryError.system("open namespace \(kind)") }
        return file
    }

    private static func mountPrivateFolders() throws {
        guard unsafe mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil) == 0 else {
            throw LaboratoryError.system("mount --make-rprivate /")
        }
        for folder in ["/run", "/var/lib", "/var/log"] {
            guard unsafe mount("tmpfs", folder, "tmpfs", 0, nil) == 0 else {
                throw LaboratoryError.system("mount tmpfs on \(folder)")
            }
        }
        // The stock tools need what is in /etc, so it is the machine's own with a layer of its own above it.
        let layers = ["/run/etc-upper", "/run/etc-work"]
        for folder in layers {
            guard unsafe mkdir(folder, 0o755) == 0 else { throw LaboratoryError.system("mkdir \(folder)") }
        }
        let options = "lowerdir=/etc,upperdir=\(layers[0]),workdir=\(layers[1])"
        guard unsafe mount("overlay", "/etc", "overlay", 0, options) == 0 else {
            throw LaboratoryError.system("mount overlay on /etc")
        }
    }

    /// Moves the calling thread into the namespace, for good.
    func enter() throws {
        guard setns(network, CLONE_NEWNET) == 0 else { throw LaboratoryError.system("setns net") }
        if mounts >= 0 {
            // A thread that shares its root folder with others cannot change mount namespaces.
            guard unshare(CLONE_FS) == 0, setns(mounts, CLONE_NEWNS) == 0 else {
                throw LaboratoryError.system("setns mnt")
            }
        }
    }

    /// Runs `body` on a thread inside the namespace and waits for it.
    package func run<Value>(_ body: @escaping () throws -> Value) throws -> Value {
        try onOwnThread { [self] in
            try enter()
            return try body()
        }
    }
}
