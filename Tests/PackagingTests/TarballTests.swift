import Foundation
import Laboratory
import Testing

/// The tarball on a host that has nothing of what the program needs, not even a C library.
@Suite("Tarball", .serialized)
struct TarballTests {
    private let namespace: Namespace
    private let folder: String
    private let image = "/run/image"

    init() throws {
        namespace = try Namespace("bare host", hasMounts: true)
        try namespace.require(["mkdir", "-p", image + "/usr/sbin", image + "/proc", image + "/var/lib", image + "/etc"])
        // Folders that were empty before would go too.
        try namespace.require(["touch", image + "/usr/sbin/other"])
        try namespace.require(["tar", "-C", "/run", "-xzf", try Package.path(".tar.gz")])
        folder = "/run/" + (try Package.path(".tar.gz") as NSString).lastPathComponent.replacing(".tar.gz", with: "")
    }

    private func install(_ words: [String] = [], path: String = "") throws -> ProgramResult {
        try namespace.execute(["\(folder)/install.sh"] + words, environment: ["DESTDIR=\(image)"])
    }

    private func tree() throws -> Set<String> {
        let lines = try namespace.require([
            "find", image, "-type", "d", "-printf", "%M %U:%G %p\\n", "-o", "-printf", "%M %U:%G %p %s\\n",
        ])
        return Set(lines.split(separator: "\n").map(String.init))
    }

    private func expectTree(_ before: Set<String>) throws {
        let difference = try tree().symmetricDifference(before).sorted()
        #expect(difference == [])
    }

    @Test("runs where there is no C library, and is taken away again")
    func lifecycle() throws {
        let before = try tree()
        let result = try install()
        #expect(result.status == 0, "\(result.errors)")
        let shell = "mount -t proc proc \(image)/proc && exec chroot \(image) /usr/sbin/ecs-netsetup \"$@\""
        let isolated = ["unshare", "--pid", "--mount", "--fork", "sh", "-c", shell, "sh"]
        #expect(try namespace.require(isolated + ["--version"]) == Package.version())
        try namespace.require(isolated + ["apply", "--mode", "bridge", "--backend", "nftables"])
        #expect(try namespace.require(["nft", "list", "ruleset"]).contains("169.254.170.2"))
        try namespace.require(isolated + ["remove"])
        #expect(try namespace.require(["nft", "list", "ruleset"]).isEmpty)
        try namespace.require(["rm", "-rf", "\(image)/run"])

        // No systemd, no unit.
        #expect(try !tree().contains { $0.contains("systemd") })
        #expect(try install(["--uninstall"]).status == 0)
        try expectTree(before)
    }

    @Test("brings the unit where systemd is, and takes back what apply did to an image")
    func imageWithSystemd() throws {
        try namespace.require(["mkdir", "-p", "\(image)/usr/lib/systemd/system", "\(image)/etc/systemd/system"])
        try namespace.require([
            "sh", "-c",
            "echo ID=amzn >$0/etc/os-release; touch $0/usr/lib/systemd/systemd $0/usr/lib/systemd/system/other", image,
        ])
        let before = try tree()
        #expect(try install().status == 0)
        #expect(try tree().contains { $0.contains("system/ecs-netsetup.service") })
        try namespace.require([
            Tool.path, "apply", "--mode", "bridge", "--backend", "nftables", "--root", image,
        ])
        #expect(try tree().contains { $0.contains("90-ecs-netsetup.conf") })
        #expect(try install(["--uninstall"]).status == 0)
        try expectTree(before)
    }

    @Test("refuses before it copies anything where the program does not start")
    func refused() throws {
        let before = try tree()
        try namespace.require(["sh", "-c", ": >\(folder)/files/usr/lib/ecs-netsetup/libmnl.so.0"])
        let result = try install()
        #expect(result.status == 1 && result.errors.contains("libmnl.so.0"), "\(result.errors)")
        try expectTree(before)
        #expect(try install(["--frobnicate"]).status == 1)
    }

    @Test("everybody may read what is installed, whatever the umask, here and where it was unpacked")
    func umask() throws {
        try namespace.require(["chmod", "-R", "go=", "\(folder)/files"])
        let shell = "umask 077 && exec $0/install.sh"
        let result = try namespace.execute(["sh", "-c", shell, folder], environment: ["DESTDIR=\(image)"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(try namespace.require(["find", image, "!", "-perm", "-a=r"]).isEmpty)
        #expect(try namespace.require(["find", image, "-type", "d", "!", "-perm", "-a=x"]).isEmpty)
        #expect(try namespace.require(["stat", "-c", "%a", "\(image)/usr/sbin/ecs-netsetup"]) == "755\n")
    }

    @Test("refuses a link that leads out of the image, and follows one that does not")
    func links() throws {
        try namespace.require(["sh", "-c", "mkdir /run/victim && ln -s /run/victim $0/usr/lib", image])
        let before = try tree()
        let result = try install()
        #expect(result.status == 1 && result.errors.contains("\(image)/usr/lib is no folder"), "\(result.errors)")
        try expectTree(before)
        #expect(try namespace.require(["find", "/run/victim"]) == "/run/victim\n")
        try namespace.require(["sh", "-c", "rm $0/usr/lib && mkdir $0/usr/lib64 && ln -s lib64 $0/usr/lib", image])
        #expect(try install().status == 0)
        #expect(try tree().contains { $0.contains("/usr/lib64/ecs-netsetup/libc.so.6") })
    }

    @Test("says how to go on where it stopped halfway, and that is right")
    func halfway() throws {
        let before = try tree()
        // A folder where the program would be put first.
        try namespace.require(["mkdir", "\(image)/usr/sbin/ecs-netsetup.new"])
        let result = try install()
        #expect(result.status == 1 && result.errors.contains("with --uninstall"), "\(result.errors)")
        #expect(try tree().contains { $0.contains("libc.so.6") })
        try namespace.require(["rmdir", "\(image)/usr/sbin/ecs-netsetup.new"])
        #expect(try install(["--uninstall"]).status == 0)
        try expectTree(before)
    }
}
