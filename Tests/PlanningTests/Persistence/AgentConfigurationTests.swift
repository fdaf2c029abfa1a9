import Model
import Testing

@testable import Planning

@Suite("The agent's configuration")
struct AgentConfigurationTests {
    private static let path = HostPath.agentConfiguration
    private static let role = "ECS_ENABLE_TASK_IAM_ROLE"
    private static let hostRole = "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST"
    private static let block = "ECS_AWSVPC_BLOCK_IMDS"
    private static let host = MemoryDisk.Host(osRelease: "ID=debian\nVERSION_ID=12\n")

    private func disk(_ text: String?) -> MemoryDisk {
        var disk = MemoryDisk()
        if let text { disk.put(text, at: Self.path, mode: 0o640) }
        return disk
    }

    private func wish(_ modes: [Mode], _ change: (inout Settings) -> Void = { _ in }) -> Wish {
        Wish(settings: settings(modes, change), backend: .nftables)
    }

    /// A file, the modes, what becomes of it, and what is said.
    struct Edit: CustomTestStringConvertible {
        let before: String?
        let modes: [Mode]
        let after: String
        var notes: [String] = []
        var testDescription: String { "\(modes.map(\.rawValue)): \(before ?? "no file")" }
    }

    static let edits = [
        Edit(before: nil, modes: [.bridge], after: "\(role)=true\n"),
        Edit(before: nil, modes: [.host], after: "\(role)=true\n\(hostRole)=true\n"),
        Edit(before: nil, modes: [.awsvpc], after: "\(role)=true\n\(block)=true\n"),
        Edit(before: "", modes: [.bridge], after: "\(role)=true\n"),
        Edit(before: "\n", modes: [.bridge], after: "\n\(role)=true\n"),
        Edit(before: "ECS_CLUSTER=prod", modes: [.bridge], after: "ECS_CLUSTER=prod\n\(role)=true\n"),
        Edit(
            before: "# ours\n\n  ODD line\nECS_CLUSTER = \"a b\"\n\(role)=false\n#end", modes: [.host],
            after: "# ours\n\n  ODD line\nECS_CLUSTER = \"a b\"\n\(role)=true\n#end\n\(hostRole)=true\n"),
        Edit(before: "#\(role)=true\n", modes: [.bridge], after: "#\(role)=true\n\(role)=true\n"),
        // What the agent takes for yes stays as it is, but not in quotes or with blanks, which ecs-init does not strip.
        Edit(before: "\(role)=1\n", modes: [.bridge], after: "\(role)=1\n"),
        Edit(before: "\(role)=TRUE", modes: [.bridge], after: "\(role)=TRUE"),
        Edit(before: "\(role)=T\r\n", modes: [.bridge], after: "\(role)=T\r\n"),
        Edit(before: "\(role)=yes\n", modes: [.bridge], after: "\(role)=true\n"),
        Edit(before: "\(role)=\n", modes: [.bridge], after: "\(role)=true\n"),
        Edit(before: "\(role)=\"true\"\n", modes: [.bridge], after: "\(role)=true\n"),
        Edit(before: "\(role)='true'", modes: [.bridge], after: "\(role)=true"),
        Edit(before: "  \(role) = true \n", modes: [.bridge], after: "\(role)=true\n"),
        Edit(
            before: "\(role)=0\nA=1\n\(role)=false\n", modes: [.bridge], after: "\(role)=0\nA=1\n\(role)=true\n",
            notes: ["\(path) sets \(role) more than once: line 1 does not count"]),
        Edit(
            before: "\(role)=true\n\(role)=0\n\(role)=true\n", modes: [.bridge],
            after: "\(role)=true\n\(role)=0\n\(role)=true\n",
            notes: ["\(path) sets \(role) more than once: line 1, 2 does not count"]),
    ]

    @Test("its keys are set with every other byte kept, and taken back exactly", arguments: edits)
    func edit(_ this: Edit) throws {
        let original = disk(this.before)
        var disk = original
        let plan = try disk.apply(wish(this.modes), Self.host)
        #expect(disk.text(Self.path) == this.after)
        #expect(disk.files[Self.path]?.mode == (this.before == nil ? 0o600 : 0o640))
        #expect(plan.notes.filter { $0.contains(Self.path) } == this.notes)
        #expect(plan.changesAgentConfiguration == (this.before != this.after))
        #expect(try disk.plan(wish(this.modes), Self.host).isFulfilled)
        try disk.remove(Self.host)
        #expect(disk.differences(from: original) == [])
    }

    @Test("a missing folder is made and removed again, unless something is in it then")
    func folder() throws {
        var disk = disk(nil)
        let original = disk
        try disk.apply(wish([.bridge]), Self.host)
        #expect(disk.folders.contains("/etc/ecs"))
        var used = disk
        used.put("x", at: "/etc/ecs/other")
        try disk.remove(Self.host)
        #expect(disk.differences(from: original) == [])
        try used.remove(Self.host)
        #expect(used.files.keys.sorted() == ["/etc/ecs/other"])
        #expect(used.folders.contains("/etc/ecs"))
        #expect(used.mistakes.isEmpty)
    }

    @Test("the change names each key that changes, as in a diff")
    func details() throws {
        let disk = disk("\(Self.role)= no\n")
        let plan = try disk.plan(wish([.awsvpc]), Self.host)
        let changes = plan.steps.compactMap { step in
            if case .file(let change) = step, change.path == Self.path { change } else { nil }
        }
        #expect(changes.count == 1)
        #expect(
            changes.first?.details == ["-\(Self.role)= no", "+\(Self.role)=true", "+\(Self.block)=true"])
        #expect(changes.first?.why.contains("the agent hands out tasks' credentials") == true)
    }

    @Test("keys that are not wanted any more are taken back")
    func otherModes() throws {
        var disk = disk("\(Self.block)=false\nA=1")
        let original = disk
        try disk.apply(wish([.awsvpc, .host]), Self.host)
        #expect(disk.text(Self.path) == "\(Self.block)=true\nA=1\n\(Self.role)=true\n\(Self.hostRole)=true\n")
        try disk.apply(wish([.host]), Self.host)
        #expect(disk.text(Self.path) == "\(Self.block)=false\nA=1\n\(Self.role)=true\n\(Self.hostRole)=true\n")
        try disk.apply(wish([.awsvpc]) { $0.allowsMetadata = true }, Self.host)
        #expect(disk.text(Self.path) == "\(Self.block)=false\nA=1\n\(Self.role)=true\n")
        try disk.apply(wish([.awsvpc]), Self.host)
        #expect(disk.text(Self.path) == "\(Self.block)=true\nA=1\n\(Self.role)=true\n")
        try disk.remove(Self.host)
        #expect(disk.differences(from: original) == [])
    }

    @Test("a key that goes back is known until the file is written, whoever is killed before")
    func interrupted() throws {
        let original = disk("A=1\n\(Self.block)=no")
        for kept in [[Mode.host], [.awsvpc]] {
            var disk = original
            try disk.apply(wish([.host, .awsvpc]), Self.host)
            try disk.apply(wish(kept), Self.host, killedAfter: 0)
            try disk.apply(wish(kept), Self.host)
            try disk.remove(Self.host)
            #expect(disk.differences(from: original) == [])
        }
    }

    @Test("what somebody changed since stays and is mentioned")
    func changedSince() throws {
        var disk = disk("\(Self.role)=false\nA=1\n")
        try disk.apply(wish([.awsvpc]), Self.host)
        disk.put("\(Self.role)=T\nA=2\n\(Self.block)=true\nB=1\n", at: Self.path)
        let plan = try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "\(Self.role)=T\nA=2\nB=1\n")
        #expect(plan.notes == ["\(Self.path): line 1, \(Self.role), stays: somebody changed it since"])
    }

    @Test("what somebody removed since stays so, and is mentioned where it was there before us")
    func removedSince() throws {
        var disk = disk("\(Self.role)=false\n")
        try disk.apply(wish([.awsvpc]), Self.host)
        disk.put("B=1\n", at: Self.path)
        let plan = try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "B=1\n")
        #expect(plan.notes == ["\(Self.path): somebody removed \(Self.role) since; it stays so"])
        #expect(disk.record == nil)
    }

    @Test("a file that apply made stays where somebody wrote into it too")
    func sharedSince() throws {
        var disk = disk(nil)
        try disk.apply(wish([.bridge]), Self.host)
        disk.put("ECS_CLUSTER=prod\n" + (disk.text(Self.path) ?? ""), at: Self.path, mode: 0o600)
        let plan = try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "ECS_CLUSTER=prod\n")
        #expect(plan.notes == ["\(Self.path) stays: somebody else wrote into it too"])
    }

    @Test("a line that somebody put below ours counts; ours goes all the same")
    func overriddenSince() throws {
        var disk = disk("A=1\n")
        try disk.apply(wish([.bridge]), Self.host)
        disk.put((disk.text(Self.path) ?? "") + "\(Self.role)=0\n", at: Self.path)
        let plan = try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "A=1\n\(Self.role)=0\n")
        #expect(plan.notes == ["\(Self.path): line 3, \(Self.role), stays: somebody changed it since"])
    }

    @Test("a line that somebody put below ours is mended in place of ours, and comes back")
    func overriddenAndAppliedAgain() throws {
        var disk = disk("A=1\n")
        try disk.apply(wish([.bridge]), Self.host)
        disk.put("A=1\n\(Self.role)=true\nB=1\n\(Self.role)=0\n", at: Self.path)
        try disk.apply(wish([.bridge]), Self.host)
        #expect(disk.text(Self.path) == "A=1\nB=1\n\(Self.role)=true\n")
        try disk.remove(Self.host)
        #expect(disk.text(Self.path) == "A=1\nB=1\n\(Self.role)=0\n")
    }

    @Test("a file that somebody deleted since is made again, and is gone after remove")
    func deletedSince() throws {
        var disk = disk("A=1\n")
        try disk.apply(wish([.bridge]), Self.host)
        disk.files[Self.path] = nil
        let without = disk
        try disk.apply(wish([.bridge]), Self.host)
        #expect(disk.text(Self.path) == "\(Self.role)=true\n")
        try disk.remove(Self.host)
        #expect(disk.text(Self.path) == nil)
        disk = without
        try disk.remove(Self.host)
        #expect(disk.text(Self.path) == nil)
    }

    @Test("BLOCK_IMDS on a host without IPv6 is warned of")
    func withoutIPv6() throws {
        var facts = try MemoryDisk().facts(Self.host)
        #expect(try wish([.awsvpc]).plan(facts).notes.isEmpty)
        facts.isIPv6Disabled = true
        let notes = try wish([.awsvpc]).plan(facts).notes
        #expect(notes.count == 1)
        #expect(notes.first?.contains("aws/amazon-vpc-cni-plugins#106") == true)
        #expect(try wish([.bridge]).plan(facts).notes.isEmpty)
        #expect(try wish([.awsvpc]) { $0.allowsMetadata = true }.plan(facts).notes.isEmpty)
    }
}

@Suite("Versions of the agent")
struct AgentVersionTests {
    @Test(
        "are read with what may stand around them",
        arguments: [
            ("1.105.1", "1.105.1"), ("v1.11.0", "1.11.0"), ("1.12.0-1", "1.12.0"), ("2.0 (hash)", "2.0"),
            ("1.2.3.4", "1.2.3.4"), ("1", nil), ("", nil), ("v", nil), ("latest", nil), ("99999999999999999999.1", nil),
            ("١.٢", nil),
        ])
    func read(_ text: String, _ expected: String?) {
        #expect(AgentVersion(text)?.description == expected)
    }

    @Test("are compared number by number")
    func order() throws {
        let versions = ["1.9.0", "1.11.0", "1.11.1", "1.12.0", "1.105.1", "2.0"].compactMap { AgentVersion($0) }
        #expect(versions.count == 6)
        #expect(versions.sorted() == versions)
    }

    @Test("each mode needs its own, and several the greatest")
    func least() {
        #expect(AgentVersion.least(for: [.bridge])?.version.description == "1.11.0")
        #expect(AgentVersion.least(for: [.host])?.version.description == "1.12.0")
        #expect(AgentVersion.least(for: [.awsvpc])?.version.description == "1.15.0")
        #expect(AgentVersion.least(for: [.awsvpc, .bridge, .host])?.mode == .awsvpc)
        #expect(AgentVersion.least(for: []) == nil)
    }

    @Test(
        "are found in the introspection endpoint's answer, and nowhere else",
        arguments: [
            (
                #"{"Cluster":"default","ContainerInstanceArn":null,"Version":"Amazon ECS Agent - v1.105.1 (*0a1b2c3d)"}"#,
                "1.105.1"
            ),
            (#"{ "Version" : "Amazon ECS Agent - v1.15.0 (ff)" }"#, "1.15.0"),
            (#"{"Version":"Amazon ECS Agent"}"#, nil), (#"{"Version":"x - "}"#, nil), (#"{"Version":"#, nil),
            (#"{"Version""#, nil), (#"{"Cluster":"Version"}"#, nil), (#"{"AvailableCommands":["/v2"]}"#, nil),
            ("", nil),
            ("Version", nil), (#"["Version","Amazon ECS Agent - v1.0.0"]"#, nil),
        ])
    func metadata(_ answer: String, _ expected: String?) {
        #expect(AgentVersion(metadata: Array(answer.utf8))?.description == expected)
    }
}
