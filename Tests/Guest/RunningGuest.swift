import Glibc
package import Laboratory

extension Guest {
    /// A guest that is booted.
    package final class Running: Sendable {
        private let container: RunningProgram
        /// Kept, as its folder goes with it.
        private let guest: Guest

        init(container: RunningProgram, guest: Guest) {
            self.container = container
            self.guest = guest
        }

        /// Runs a program in the guest, in all of its namespaces, to its end.
        package func execute(_ words: [String], input: String = "") throws -> ProgramResult {
            guard let leader = text(of: "leader") else { throw LaboratoryError("the guest has not begun to boot") }
            let enter = [
                "nsenter", "--target", leader.filter { $0 != "\n" }, "--mount", "--uts", "--ipc", "--net", "--pid",
                "--cgroup", "--root", "--wdns=/",
            ]
            return try Machine.execute(enter + words, input: input)
        }

        /// Runs a program in the guest that must succeed.
        ///
        /// - Returns: what it wrote to standard output.
        @discardableResult
        package func require(_ words: [String], input: String = "") throws -> String {
            let result = try execute(words, input: input)
            guard result.status == 0 else {
                throw LaboratoryError(
                    "\(words.joined(separator: " ")): status \(result.status): \(result.errors)\(result.output)")
            }
            return result.output
        }

        /// What it printed to its console so far.
        package var console: String { text(of: "console") ?? "" }

        /// Shuts it down as its operator would, and waits for its end.
        package func powerOff() throws {
            _ = try execute(["poweroff"])
            guard wait(seconds: 40) else {
                stop()
                throw LaboratoryError("the guest does not shut down:\n\(console)")
            }
        }

        /// Ends it at once.
        package func stop() {
            if let leader = text(of: "leader").flatMap({ CInt($0.filter { $0 != "\n" }) }) {
                _ = kill(leader, SIGKILL)
            } else {
                _ = kill(container.identifier, SIGTERM)
            }
            _ = wait(seconds: 10)
        }

        private func wait(seconds: Int) -> Bool {
            for _ in 0..<(seconds * 20) {
                if container.hasEnded { return true }
                usleep(50_000)
            }
            return false
        }

        /// Until no service is being started any more.
        func waitForServices(_ seconds: Int) throws {
            for _ in 0..<(seconds * 10) {
                if container.hasEnded { throw LaboratoryError("the guest ended while it booted:\n\(console)") }
                if text(of: "leader") != nil, try isUp { return }
                usleep(100_000)
            }
            let jobs = try execute(["systemctl", "list-jobs", "--no-pager"])
            throw LaboratoryError("the guest is not up in \(seconds) s:\n\(jobs.output)\(console)")
        }

        /// The script is that of both inits: systemd's own answer, or System V's runlevel once its scripts have run.
        private var isUp: Bool {
            get throws {
                let states = ["running", "degraded"]
                let answer = try execute(["sh", "-c", Self.state]).output
                return states.contains(answer.filter { $0 != "\n" })
            }
        }

        private static let state = """
            if [ -d /run/systemd/system ]; then systemctl is-system-running
            elif [ -e /run/booted ]; then echo running; fi
            """

        private func text(of file: String) -> String? {
            guard let result = try? Machine.execute(["cat", "\(guest.folder)/\(file)"]), result.status == 0 else {
                return nil
            }
            return result.output
        }
    }
}
