import FoundationEssentials
import Glibc
import Laboratory
import TestSupport
import Testing

/// Traps at the name of every file that the program writes in an image, at its temporary name and at its folder.
@Suite("Hostile folders", .enabled(if: getuid() == 0, "making devices and immutable files needs root"))
struct HostileFolderTests {
    /// Images that have different files written, each by whether its own rules files are in use and by the mechanism.
    private static let images = [
        (Distro.all[0], false, "iptables-services"), (Distro.all[3], true, "netfilter-persistent"),
        (Distro.all[3], false, "systemd"),
    ]

    /// An image beside a folder of somebody else's, and what `apply` makes of it where nobody disturbs it.
    private struct Scene {
        let outer: FixtureRoot
        let image: HostImage
        let arguments: [String]

        init(_ distro: Distro, usesRulesFiles: Bool, _ mechanism: String) throws {
            outer = try FixtureRoot()
            try outer.write("root:$6$secret:19000::::::\n", to: "/outside/shadow")
            _ = unsafe chmod(outer.path + "/outside/shadow", 0o600)
            image = try HostImage(distro, usesRulesFiles: usesRulesFiles, in: outer.path)
            arguments = ["apply", "--mode", "bridge,awsvpc", "--persist", mechanism]
        }

        /// The image's name in the folder.
        var imagePath: String { String(image.root.path.dropFirst(outer.path.count)) }

        func apply() throws -> ProgramResult { try image.netsetup(arguments) }

        /// Every path that one snapshot has otherwise than another.
        static func changes(_ before: TreeSnapshot, _ after: TreeSnapshot) -> Set<String> {
            Set(Set(before.entries.keys).union(after.entries.keys).filter { before.entries[$0] != after.entries[$0] })
        }

        /// The paths, below the image, that `apply` changes, and the files among them.
        func footprint() throws -> (all: Set<String>, files: [String]) {
            let before = try outer.snapshot
            let result = try apply()
            guard result.status == 0 else { throw LaboratoryError("apply: \(result.errors)") }
            let after = try outer.snapshot
            let all = Self.changes(before, after)
            let files = all.filter { after.entries[$0]?.isFile == true }.sorted()
            return (
                Set(all.map { String($0.dropFirst(imagePath.count)) }),
                files.map { String($0.dropFirst(imagePath.count)) }
            )
        }
    }

    @Test("a clear error or success, nothing outside is written, and the next apply is whole")
    func traps() throws {
        let knowsImmutable = Trap.knowsImmutable(FileManager.default.temporaryDirectory.path)
        let traps = Trap.allCases.filter { knowsImmutable || ![.immutable, .folderIsImmutable].contains($0) }
        var seen: Set<String> = []
        var (tried, done) = (0, 0)
        for (distro, usesRulesFiles, mechanism) in Self.images {
            let (all, files) = try Scene(distro, usesRulesFiles: usesRulesFiles, mechanism).footprint()
            // A file that two images have is written by the same code.
            for file in files where seen.insert(file).inserted {
                for (index, trap) in traps.enumerated() where !Self.destroysImage(trap, file) {
                    // Of each file others, so that every trap has its turn.
                    if (index + seen.count) % Sanitizer.stride != 0 { continue }
                    let scene = try Scene(distro, usesRulesFiles: usesRulesFiles, mechanism)
                    tried += 1
                    if try Self.spring(trap, file, scene, footprint: all) { done += 1 }
                }
            }
        }
        #expect(seen.count >= 10, "\(seen)")
        TriedCases.note(
            "\(traps.count) traps at each of \(seen.count) files that are written, at their temporary names and folders",
            tried)
        print("\(done) of them done, \(tried - done) refused")
        if !knowsImmutable { print("immutable files not tried: this file system has none") }
    }

    /// Without /etc, it is no image of a host.
    private static func destroysImage(_ trap: Trap, _ file: String) -> Bool {
        [.folderIsFile, .folderIsLinkOut].contains(trap) && trap.path(for: file) == "/etc"
    }

    /// - Returns: whether `apply` succeeded.
    private static func spring(
        _ trap: Trap, _ file: String, _ scene: Scene, footprint: Set<String>
    ) throws -> Bool {
        let full = scene.image.root.path + file
        let folder = String(full.prefix(upTo: full.lastIndex(of: "/") ?? full.endIndex))
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try trap.set(for: full, outside: scene.outer.path + "/outside")
        defer { try? trap.clear(for: full) }
        let comment = Comment(rawValue: "\(file): \(trap.rawValue)")
        let before = try scene.outer.snapshot
        let result = try scene.apply()
        let after = try scene.outer.snapshot
        let changed = Scene.changes(before, after)
        let strangers = changed.filter { !$0.hasPrefix(scene.imagePath + "/") }
        #expect(strangers.isEmpty, comment)
        #expect([0, 2, 64].contains(result.status), "\(comment): \(result.status) \(result.errors)")
        // What an earlier run may have left under the temporary name is taken away first.
        let temporary = scene.imagePath + String(trap.path(for: file))
        if result.status == 0 {
            // What somebody else had in a file of ours is kept beside it.
            let paths = Array(footprint) + [file + ".before-ecs-netsetup"]
            let allowed = Set(paths.map { scene.imagePath + $0 } + [temporary])
            #expect(changed.isSubset(of: allowed), "\(comment): \(changed.subtracting(allowed))")
        } else {
            // A link at the record is taken away, as nobody else has a reason to put one there, and the folder made for it.
            let record = "/var/lib/ecs-netsetup/record"
            let isRecordLink = file == record && [.linkOut, .danglingLink, .circle, .nullLink].contains(trap)
            let own = isRecordLink ? [record, "/var/lib/ecs-netsetup"].map { scene.imagePath + $0 } : []
            #expect(changed.isSubset(of: own + [temporary]), "\(comment): \(changed) \(result.errors)")
            let name = file.split(separator: "/").suffix(2).joined(separator: "/")
            let isNamed = [name, String(name.prefix { $0 != "/" })].contains(where: result.errors.contains)
            #expect(isNamed, "\(comment): \(result.errors)")
        }
        try expectRecovery(trap, full, scene, comment)
        return result.status == 0
    }

    /// Without the trap, the next run makes the image what it should be.
    private static func expectRecovery(_ trap: Trap, _ full: String, _ scene: Scene, _ comment: Comment) throws {
        try trap.clear(for: full)
        let again = try scene.apply()
        #expect(again.status == 0, "\(comment), cleared: \(again.errors)")
        let verified = try scene.image.netsetup(["verify"])
        #expect(verified.status == 0, "\(comment), cleared: \(verified.output)\(verified.errors)")
    }

    @Test("the traps work: a program that writes as a shell does falls into them")
    func control() throws {
        let scene = try Scene(Distro.all[1], usesRulesFiles: true, "iptables-services")
        for trap in [Trap.linkOut, .hardLink, .folderIsLinkOut] {
            let file = scene.image.root.path + "/etc/ecs/ecs.config"
            try trap.set(for: file, outside: scene.outer.path + "/outside")
            let before = try scene.outer.snapshot
            _ = try Machine.execute(["sh", "-c", "echo x >> \(file)"])
            let changed = Scene.changes(before, try scene.outer.snapshot)
            #expect(changed.contains { $0.hasPrefix("/outside/") }, "\(trap)")
            try trap.clear(for: file)
        }
    }
}
