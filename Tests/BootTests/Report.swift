import Guest
import Laboratory
import Testing

extension Boot {
    /// Has the guest prove by packets that it is as it should be, and keeps what it says in `.build/boot`.
    func expectHealthy(_ name: String) throws {
        let verify = ["ecs-netsetup", "verify", "--probe"]
        let report = try guest.execute(verify + ["--format", "json"])
        let text = try guest.execute(["env", "LC_ALL=C.UTF-8"] + verify)
        try Self.keep(report.output, as: "\(name).json")
        try Self.keep(text.output, as: "\(name).txt")
        #expect(report.status == 0 && text.status == 0, "\(name)\n\(text.output)\(text.errors)\(report.errors)")
        // Four for docker0 and as many for the user-defined network: the probe really looked.
        #expect(text.output.contains("the agent answered in"), "\(text.output)")
        #expect(text.output.contains("no IMDS from docker0 "), "\(text.output)")
        let failed = try failedUnits()
        #expect(failed == "", "\(failed)")
    }

    /// systemd's units that failed, with what they say; empty where there is no systemd.
    private func failedUnits() throws -> String {
        let list = "systemctl list-units --failed --plain --no-legend"
        let journal = "journalctl --no-pager --priority=warning"
        return try guest.require([
            "sh", "-c", "[ ! -d /run/systemd/system ] || [ -z \"$(\(list))\" ] || { \(list); \(journal); }",
        ])
    }

    /// When a unit's start was done, or its first process began, in microseconds since the kernel started.
    func time(_ property: String, of unit: String) throws -> Int {
        let text = try guest.require(["systemctl", "show", "--value", "--property", property, unit])
        return try #require(Int(text.filter { $0 != "\n" }))
    }

    /// The rules were there before Docker's and the agent's processes began.
    func expectOrder(of unit: String) throws {
        let ready = try time("ExecMainExitTimestampMonotonic", of: unit)
        #expect(ready > 0, "\(unit) did not run")
        for later in ["docker.service", "ecs.service"] {
            let began = try time("ExecMainStartTimestampMonotonic", of: later)
            #expect(ready < began, "\(unit) was done at \(ready), \(later) began at \(began)")
        }
    }

    static func keep(_ text: String, as name: String) throws {
        let file = "\(Guest.repository)/.build/boot/\(name)"
        let result = try Machine.execute(["install", "-D", "-m", "644", "/dev/stdin", file], input: text)
        #expect(result.status == 0, "\(result.errors)")
    }
}
