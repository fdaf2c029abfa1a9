/// A command of a table, such as `-A INPUT -j DROP`, as iptables-restore understands it.
struct RestoreCommand: Equatable {
    /// What is done, by its letters: `A`, or two where `-L` or `-S` goes with `-Z`.
    var verbs: [Character] = []
    var chain: [UInt8]?
    /// The number of a rule.
    var number: Int?
    /// What `-P` sets.
    var policy: [UInt8]?
    /// What `-E` renames to.
    var newName: [UInt8]?
    /// What `-j` or `-g` names; nil where this is not known.
    var target: [UInt8]?
    /// Whether `-g` names it.
    var isGoto = false
    /// How many rules `-s` and `-d` with several addresses make; nil for names, each of which may have several.
    var ruleCount: Int? = 1
    /// Whether one of the families passes over the line: `-4` or `-6` is in it. What it does is not known then.
    var isOfOneFamily = false

    /// Whether it is about a rule, whose options follow.
    var isAboutRule: Bool { verbs.contains { "ADCIR".contains($0) } }
}
