/// What brings the rules back after a reboot.
package enum Mechanism: String, Sendable, CaseIterable {
    /// The rules files of the package iptables-services, restored by `iptables.service` or, on legacy Amazon Linux, by
    /// the SysV script `iptables`.
    case iptablesServices = "iptables-services"
    /// The rules files of Debian's package netfilter-persistent.
    case netfilterPersistent = "netfilter-persistent"
    /// A unit of our own that applies the saved settings at boot.
    case systemd
    /// Nothing on disk is looked at or changed.
    case none
}

/// A file as it is on disk.
package struct FileContents: Hashable, Sendable {
    package let bytes: [UInt8]
    /// The permission bits.
    package let mode: UInt32

    package init(bytes: [UInt8], mode: UInt32) {
        self.bytes = bytes
        self.mode = mode
    }

    package init(text: String, mode: UInt32) { self.init(bytes: Array(text.utf8), mode: mode) }

    /// The contents as text, where they are no UTF-8 with replacement characters.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Where this program keeps what `remove` needs to know.
package enum RecordFolder {
    package static let path = "/var/lib/ecs-netsetup"
    package static let mode: UInt32 = 0o755
}

/// A file to be made, replaced or removed.
package struct FileChange: Hashable, Sendable {
    /// Absolute, below the root folder that is worked on.
    package let path: String
    /// Nil where there is no such file.
    package let before: FileContents?
    /// Nil to remove it. A file that is replaced keeps its owner and its mode.
    package let after: FileContents?
    /// What changes in it, a line each; empty where the path says it all.
    package let details: [String]
    package let why: String

    package init(path: String, before: FileContents?, after: FileContents?, details: [String] = [], why: String) {
        self.path = path
        self.before = before
        self.after = after
        self.details = details
        self.why = why
    }
}

/// What a host's files say about a service.
package struct ServiceState: Hashable, Sendable {
    package let isInstalled: Bool
    /// Whether it starts at boot.
    package let isEnabled: Bool
    /// Whether links that would start it are there, be it installed or not.
    package let isLinked: Bool

    package init(isInstalled: Bool, isLinked: Bool) {
        self.isInstalled = isInstalled
        self.isLinked = isLinked
        isEnabled = isInstalled && isLinked
    }

    package static let absent = ServiceState(isInstalled: false, isLinked: false)
}

/// The program that enables services on a host.
package enum ServiceManager: String, Sendable {
    /// systemctl(1)
    case systemctl
    /// chkconfig(8), of hosts with SysV scripts.
    case chkconfig
}

/// Something to be done to a service.
package struct ServiceAction: Hashable, Sendable {
    package enum Verb: Hashable, Sendable {
        /// Starts at boot from now on.
        case enable
        /// Does not start at boot any more.
        case disable
        /// Is started now, without waiting for it; on an image, nothing.
        case start
        /// Is stopped now, without waiting for it; on an image, nothing.
        case stop
        /// The manager reads its configuration again; on an image, nothing.
        case reload
    }

    package let verb: Verb
    /// Its name, without `.service` where the manager is chkconfig; empty for `.reload`.
    package let service: String
    package let manager: ServiceManager
    package let why: String
    /// Whether it only makes whole what is there in part, so that taking it back takes nothing away.
    package let isRepair: Bool

    package init(
        _ verb: Verb, _ service: String, _ manager: ServiceManager, why: String, isRepair: Bool = false
    ) {
        self.verb = verb
        self.service = service
        self.manager = manager
        self.why = why
        self.isRepair = isRepair
    }

    /// Whether it makes a difference that outlives the boot, so that it is found when the host is read back.
    package var isLasting: Bool { verb == .enable || verb == .disable }

    /// The action that takes it back; nil where there is nothing to take back.
    package var inverse: ServiceAction? {
        switch verb {
        case _ where isRepair: nil
        case .enable: ServiceAction(.disable, service, manager, why: why)
        case .disable: ServiceAction(.enable, service, manager, why: why)
        case .start: ServiceAction(.stop, service, manager, why: why)
        case .stop: ServiceAction(.start, service, manager, why: why)
        case .reload: self
        }
    }

    /// The words after the manager's name.
    package var arguments: [String] {
        switch (manager, verb) {
        case (.systemctl, .enable): ["enable", service]
        case (.systemctl, .disable): ["disable", service]
        case (.systemctl, .start): ["start", "--no-block", service]
        case (.systemctl, .stop): ["stop", "--no-block", service]
        case (.systemctl, .reload): ["daemon-reload"]
        case (.chkconfig, .disable): [service, "off"]
        case (.chkconfig, _): [service, "on"]
        }
    }

    /// The command that a person would type.
    ///
    /// - Parameter root: the folder of an image; empty for the machine itself.
    package func command(below root: String = "") -> String {
        let words =
            switch manager {
            case _ where root.isEmpty: [manager.rawValue]
            case .systemctl: ["systemctl", "--root=\(root)"]
            case .chkconfig: ["chroot", root, "chkconfig"]
            }
        return (words + arguments).joined(separator: " ")
    }
}

/// One step of making a host's disk match.
package enum PersistenceStep: Hashable, Sendable {
    /// A folder to be made.
    case folder(String)
    /// A folder to be removed, if nothing is in it.
    case emptyFolder(String)
    case file(FileChange)
    case service(ServiceAction)
    /// Something of somebody else's that is in the way; nothing is done while it is there.
    case obstacle(Obstacle)
}
