import FoundationEssentials

/// What stands in the documents of `docs`, so that tests can run it.
package enum Documentation {
    /// A whole document.
    package static func text(of document: String) throws -> String {
        let file = URL(filePath: #filePath).appending(path: "../../../docs/\(document)").standardized
        return try String(contentsOf: file, encoding: .utf8)
    }

    /// What stands in a fence below a line that begins with a file's name.
    package static func snippet(_ name: String, of document: String) throws -> String {
        let lines = try text(of: document).split(separator: "\n", omittingEmptySubsequences: false)
        guard let title = lines.firstIndex(where: { $0.hasPrefix("`\(name)`") }), lines.count > title + 3,
            lines[title + 1].isEmpty, lines[title + 2].hasPrefix("```")
        else { throw MissingSnippet(name: name, document: document) }
        return lines[(title + 3)...].prefix { $0 != "```" }.map { $0 + "\n" }.joined()
    }

    private struct MissingSnippet: Error, CustomStringConvertible {
        let name: String
        let document: String

        var description: String { "\(name) is not in docs/\(document)" }
    }
}
