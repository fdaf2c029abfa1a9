import Laboratory
import Synchronization

/// A neighbour that goes on asking for what listens on the host's 127.0.0.1.
final class Intruder: Sendable {
    private let thread: BackgroundThread
    private let numbers: Numbers

    private final class Numbers: Sendable {
        let attempts = Atomic(0)
        let answers = Atomic(0)
    }

    /// How long it waits for an answer, in milliseconds: there is none, and an open host answers at once.
    private static let patience: CInt = 20

    init(_ lab: Laboratory) throws {
        let numbers = Numbers()
        self.numbers = numbers
        thread = try BackgroundThread(in: lab.neighbour) { mustStop in
            while !mustStop() {
                if (try? Self.isAnswered(lab)) == true { numbers.answers.add(1, ordering: .relaxed) }
                numbers.attempts.add(1, ordering: .relaxed)
            }
        }
    }

    /// Whether the neighbour is answered.
    static func isAnswered(_ lab: Laboratory) throws -> Bool {
        try lab.neighbour.reach("127.0.0.1", port: Laboratory.localPort, timeout: patience).isAnswered
    }

    var attempts: Int { numbers.attempts.load(ordering: .relaxed) }
    var answers: Int { numbers.answers.load(ordering: .relaxed) }

    func stop() { thread.stop() }
}
