import FoundationEssentials
import Laboratory

/// What somebody else's reader made of a document.
struct Reading: Decodable {
    /// A check as it came out again.
    struct Row: Decodable {
        let id: String
        let title: String
        let outcome: String
        let evidence: String?
        let text: String?
        let type: String?
        let location: String?
        let fingerprint: String?
    }
    struct Sample: Decodable {
        let name: String
        let labels: [String: String]
        let value: Double
    }
    let rows: [Row]?
    let samples: [Sample]?
    let successful: Bool?
    let notifications: [String]?

    init(_ document: String, by consumer: Consumer) throws {
        self = try JSONDecoder().decode(Reading.self, from: Data(try consumer.read(document).utf8))
    }
}
