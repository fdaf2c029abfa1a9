import Model
import Testing

@testable import CommandLineTool

@Suite("User data")
struct UserDataTests {
    private static func text(_ options: String...) throws -> String {
        let request = try Request.parse(["generate", "user-data"] + options) { _ in
            Issue.record("what is made is for another host")
            return nil
        }
        return try UserData.text(for: request)
    }

    @Test("installs, configures and applies, with the agent kept from starting until then")
    func whole() throws {
        #expect(
            try Self.text("--mode", "bridge", "--bridge-interface", "docker+,br-+") == """
                #cloud-config
                # The ECS agent starts when these settings have been applied, and not before: docs/cloud-init.md.
                bootcmd:
                - [cloud-init-per, instance, ecs-netsetup, sh, -c, systemctl disable ecs.service; systemctl stop --no-block ecs.service; true]
                write_files:
                - path: /etc/ecs-netsetup.conf
                  content: |
                    MODE=bridge
                    BRIDGE_INTERFACE=docker+,br-+
                packages: [ecs-netsetup]
                runcmd:
                - ecs-netsetup apply || exit 1
                - if systemctl cat ecs.service > /dev/null; then systemctl enable ecs.service && systemctl start --no-block ecs.service; fi

                """)
    }

    /// Options, and the lines of the settings file that they make.
    struct Case: CustomTestStringConvertible {
        let options: [String]
        let settings: [String]
        var testDescription: String { options.joined(separator: " ") }
    }

    @Test(
        "has every option that is saved, as apply would save it",
        arguments: [
            Case(options: ["--mode=host", "--mode", "bridge"], settings: ["MODE=host,bridge"]),
            Case(
                options: ["--bridge-interface=br-+", "--allow-imds", "--mode=awsvpc", "--wait", "30"],
                settings: ["BRIDGE_INTERFACE=br-+", "ALLOW_IMDS=true", "MODE=awsvpc", "WAIT=30"]),
            Case(
                options: [
                    "--mode=bridge", "--imds-placement=documented", "--imds-action=reject", "--backend=iptables",
                    "--persist=iptables-services", "--allow-offhost-introspection", "--no-localhost-guard=false",
                ],
                settings: [
                    "MODE=bridge", "IMDS_PLACEMENT=documented", "IMDS_ACTION=reject", "BACKEND=iptables",
                    "PERSIST=iptables-services", "ALLOW_OFFHOST_INTROSPECTION=true", "NO_LOCALHOST_GUARD=false",
                ]),
        ])
    func settings(_ this: Case) throws {
        let request = try Request.parse(["generate", "user-data"] + this.options) { _ in nil }
        let lines = try UserData.text(for: request).split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("    ") }.map { String($0.dropFirst(4)) } == this.settings)
        let named = this.settings.compactMap { $0.split(separator: "=").first }.map(String.init)
        #expect(Set(named).isSubset(of: CommandTable.options.compactMap(\.settingsKey)))
    }

    @Test("refuses what no host could do")
    func refused() throws {
        let failure = try #require(throws: Failure.self) {
            try Self.text("--mode=bridge", "--backend=iptables", "--imds-action=reject")
        }
        #expect(failure.kind == .usage && failure.subject.contains("--imds-placement documented"))
    }

    @Test("refuses rules that would not be there at the second boot")
    func notPersisted() throws {
        let failure = try #require(throws: Failure.self) { try Self.text("--mode=bridge", "--persist=none") }
        #expect(failure.kind == .usage && failure.subject.contains("--persist none"))
    }
}
