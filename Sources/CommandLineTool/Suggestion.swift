/// What somebody probably meant.
enum Suggestion {
    /// A question that names the known word that differs least; nil where none is close.
    static func text(for word: String, among known: [String]) -> String? {
        let distances = known.map { (word: $0, distance: distance(Array(word.utf8), Array($0.utf8))) }
        guard let best = distances.min(by: { $0.distance < $1.distance }),
            best.distance <= min(3, max(1, word.utf8.count / 3))
        else { return nil }
        return "did you mean \(best.word)?"
    }

    /// The number of bytes to insert, delete or replace (Levenshtein).
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, byte) in a.prefix(64).enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (byte == b[j] ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
