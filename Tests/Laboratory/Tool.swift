import Glibc

/// The program under test.
package enum Tool {
    /// `ECS_NETSETUP` names it; without, it is the one built beside the running program.
    package static let path: String = {
        if let named = unsafe getenv("ECS_NETSETUP") { return unsafe String(cString: named) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (own.lastIndex(of: "/").map { String(own[..<$0]) } ?? ".") + "/ecs-netsetup"
    }()
}

extension Laboratory {
    /// Runs ecs-netsetup on the host.
    package func netsetup(_ arguments: [String], environment: [String] = []) throws -> ProgramResult {
        try host.execute([Tool.path] + arguments, environment: environment)
    }
}
