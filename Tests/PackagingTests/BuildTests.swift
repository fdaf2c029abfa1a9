import Foundation
import Laboratory
import Testing

/// What was built, looked at with binutils.
@Suite("Packages as built")
struct BuildTests {
    /// A second build, in another folder, later, and with another umask.
    private static let again = ProcessInfo.processInfo.environment["ECS_NETSETUP_AGAIN"]

    @Test("two builds give the same bytes", arguments: [".deb", ".rpm", ".tar.gz"])
    func same(_ suffix: String) throws {
        let again = try #require(Self.again, "make test-packaging builds a second time and says where")
        let paths = [try Package.path(suffix), try Package.path(suffix, in: "\(again)/.build/packages")]
        let result = try Machine.execute(["cmp"] + paths)
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    @Test("the binary starts with the glibc that docs/packages.md names, and with no older one")
    func floor() throws {
        let measured = try Machine.execute(["packaging/glibc-floor", Tool.path]).output.trimmingCharacters(
            in: .newlines)
        let text = try String(contentsOfFile: "docs/packages.md", encoding: .utf8)
        #expect(text.contains("| `.deb`, `.rpm` | glibc \(measured) |"), "measured \(measured)")
        let wanted = try Machine.execute(["rpm", "-qp", "--requires", try Package.path(".rpm")]).output
        #expect(wanted.contains("libc.so.6(GLIBC_\(measured))"))
        let depends = try Machine.execute(["dpkg-deb", "-f", try Package.path(".deb"), "Depends"]).output
        #expect(depends.contains("libc6 (>= \(measured))"), "\(depends)")
    }

    @Test("the libraries of the tarball need the kernel that docs/packages.md names")
    func kernel() throws {
        let name = try Package.path(".tar.gz")
        let shell = """
            folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && tar -C "$folder" -xzf "$0" --wildcards '*/libc.so.6' \
            && readelf -n "$folder"/*/files/usr/lib/ecs-netsetup/libc.so.6
            """
        let notes = try Machine.execute(["sh", "-c", shell, name]).output
        let line = try #require(notes.split(separator: "\n").first { $0.contains("ABI: ") })
        let version = try #require(line.split(separator: " ").last).split(separator: ".").prefix(2).joined(
            separator: ".")
        let text = try String(contentsOfFile: "docs/packages.md", encoding: .utf8)
        #expect(text.contains("| `.tar.gz` | Linux \(version) |"), "measured \(version)")
    }

    @Test("shellcheck finds nothing in the scripts that run on hosts")
    func shellcheck() throws {
        let scripts = ["tarball/install.sh", "debian/prerm", "debian/postinst", "debian/postrm"]
        let result = try Machine.execute(["shellcheck"] + scripts.map { "packaging/\($0)" })
        #expect(result.status == 0, "\(result.output)")
    }
}
