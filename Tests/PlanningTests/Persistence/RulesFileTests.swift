import Model
import Testing

@testable import Planning

/// The rules that settings ask for in the legacy tables, of one family.
func legacyRules(_ modes: [Mode], _ family: AddressFamily = .ipv4) throws -> [Rule] {
    try Plan(settings: settings(modes), backend: .iptables, hasIPv6: true).rules.map(\.rule)
        .filter { $0.family == family }
}

@Suite("Our rules in a file of iptables-restore")
struct RulesFileTests {
    private static let path = "/etc/sysconfig/iptables"

    private func read(_ text: String) throws -> RulesFile { try RulesFile(Array(text.utf8), path: Self.path) }

    /// The text of a file after these modes' rules were put into it.
    private func merged(_ text: String, _ modes: [Mode] = [.host]) throws -> String {
        String(decoding: try read(text).merged(with: legacyRules(modes)).bytes, as: UTF8.self)
    }

    private static let mark = "# ecs-netsetup: this table is in this file for ecs-netsetup alone\n"
    /// What mode host puts into mangle and nat.
    private static let hostMangle = """
        -A INPUT -i docker+ -p tcp -m tcp --dport 51678 -m comment --comment \
        "ecs-netsetup: introspection from docker+ is left to others" -j ACCEPT
        -A INPUT ! -i lo -p tcp -m tcp --dport 51678 -m comment --comment \
        "ecs-netsetup: no introspection from other hosts" -j DROP

        """
    private static let hostNat = """
        -A OUTPUT -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -m comment --comment \
        "ecs-netsetup: task credentials for the host" -j REDIRECT --to-ports 51679

        """
    /// The same as the only contents of its table.
    private static let ownMangle = mark + "*mangle\n" + hostMangle + "COMMIT\n"

    @Test("an empty file gets a table for each, the closing ones first")
    func empty() throws {
        #expect(
            try merged("") == Self.ownMangle + Self.mark + "*nat\n" + Self.hostNat + "COMMIT\n")
        let bridge = try merged("", [.bridge])
        let tables = bridge.split(separator: "\n").filter { $0.hasPrefix("*") }
        #expect(tables == ["*mangle", "*filter", "*nat"])
        #expect(bridge.contains("-A INPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 51679"))
    }

    @Test("tables that are there get ours before their first rule, with every other byte kept")
    func severalTables() throws {
        let (head, chains) = ("# by hand\n\n*nat\n# chains\n:PREROUTING ACCEPT [7:420]\n", ":OUTPUT ACCEPT [0:0]\n")
        let rest = "# Docker's\n[5:300] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A OUTPUT -j DOCKER\n"
        let filter = "COMMIT\n*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n# end\n"
        #expect(
            try merged(head + chains + rest + filter)
                == Self.ownMangle + head + chains + Self.hostNat + rest + filter)
    }

    @Test("in a table without rules ours stand below the chains, in one without chains below its name")
    func emptyTables() throws {
        let chains = "*nat\n:OUTPUT ACCEPT [0:0]\n"
        #expect(
            try merged("*mangle\nCOMMIT\n\(chains)COMMIT\n")
                == "*mangle\n\(Self.hostMangle)COMMIT\n\(chains)\(Self.hostNat)COMMIT\n")
    }

    @Test("of two sections of one table the last gets ours: its restore flushes what the first one made")
    func twoSections() throws {
        let (first, second) = ("*nat\n-A OUTPUT -j ONE\nCOMMIT\n*mangle\nCOMMIT\n", "-A OUTPUT -j TWO\nCOMMIT\n")
        let text = try merged(first + "*nat\n" + second)
        #expect(text.hasSuffix("*nat\n\(Self.hostNat)\(second)"))
        #expect(text.hasPrefix("*nat\n-A OUTPUT -j ONE\n"))
    }

    @Test(
        "where a command could put something ahead of ours, they are inserted after all of them",
        arguments: [
            "-I OUTPUT 1 -j X", "-D OUTPUT 1", "-F", "[1:2] -I OUTPUT -j X", "--insert OUTPUT -j X", "-X", "-AOUTPUT",
        ])
    func otherCommands(_ command: String) throws {
        let nat = "*nat\n-A OUTPUT -j ONE\n\(command)\n-A OUTPUT -j TWO\n"
        let ours = Self.hostNat.replacing("-A OUTPUT", with: "-I OUTPUT 1")
        #expect(try merged("*mangle\nCOMMIT\n\(nat)COMMIT\n").hasSuffix("\(nat)\(ours)COMMIT\n"))
        let mangle = try merged("*mangle\n-A OUTPUT -j ONE\n\(command)\nCOMMIT\n")
        #expect(mangle.contains("\(command)\n-I INPUT 1 -i docker+"))
        #expect(mangle.contains("\n-I INPUT 2 ! -i lo"))
    }

    @Test(
        "commands that only append leave ours at the head",
        arguments: [
            "-A OUTPUT -j X", "--append OUTPUT -j X", "-N mine", "[1:2] -A OUTPUT -j X", "\t -A OUTPUT -j X",
        ])
    func appendingCommands(_ command: String) throws {
        #expect(try merged("*nat\n\(command)\nCOMMIT\n").hasSuffix("*nat\n\(Self.hostNat)\(command)\nCOMMIT\n"))
    }

    @Test("a file that iptables-save wrote over ours is recognised and left as it is")
    func savedOver() throws {
        // With counters, chains, a dump's comments and other people's rules below ours.
        let counted = Self.hostMangle.replacing("-A INPUT", with: "[3:180] -A INPUT")
        let saved = """
            # Generated by iptables-save v1.8.4 on Tue Mar  4 10:00:00 2025
            *mangle
            :PREROUTING ACCEPT [10:600]
            :INPUT ACCEPT [10:600]
            \(counted)-A INPUT -p icmp -j ACCEPT
            COMMIT
            # Completed on Tue Mar  4 10:00:00 2025
            *nat
            :OUTPUT ACCEPT [1:60]
            :DOCKER - [0:0]
            \(Self.hostNat)-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
            COMMIT

            """
        #expect(try merged(saved) == saved)
        // One that is not at the head of its chain any more, or is there twice, or is old, is put right.
        for spoilt in [
            saved.replacing(":INPUT ACCEPT [10:600]\n", with: ":INPUT ACCEPT [10:600]\n-A INPUT -j ACCEPT\n"),
            saved.replacing(Self.hostNat, with: Self.hostNat + Self.hostNat),
            saved.replacing("--to-ports 51679", with: "--to-ports 51670"),
        ] {
            let mended = try merged(spoilt)
            #expect(mended != spoilt)
            #expect(mended.contains(":INPUT ACCEPT [10:600]\n\(Self.hostMangle)"))
            #expect(try read(mended).ourRuleCount == 3)
            #expect(try merged(mended) == mended)
        }
    }

    @Test(
        "a rule that somebody wrote above ours goes below them, however it is spelled",
        arguments: [
            "-A OUTPUT -j X", "-A  OUTPUT -j X", "--append OUTPUT -j X", "-A\tOUTPUT -j X", "-A OUTPUT\t-j X",
            "-A \"OUTPUT\" -j X", "[1:2] -A OUTPUT -j X",
        ])
    func writtenAbove(_ rule: String) throws {
        let before = try merged("*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
        let spoilt = before.replacing(Self.hostNat, with: "\(rule)\n\(Self.hostNat)")
        let mended = try merged(spoilt)
        let isFirst = mended.contains("\(Self.hostNat)\(rule)\n")
        let isInserted = mended.contains("\(rule)\n-I OUTPUT 1 -d 169.254.170.2/32")
        #expect(isFirst || isInserted, "\(mended)")
        #expect(try merged(mended) == mended)
    }

    @Test("a comment without a line break at the end of the file stays so")
    func unbrokenComment() throws {
        for text in ["*nat\nCOMMIT\n# the end", "# only a comment"] {
            let after = try merged(text)
            #expect(after.hasSuffix(text.split(separator: "\n").last ?? "?"))
            #expect(try read(after).stripped.bytes == Array(text.utf8))
        }
    }

    /// A file that iptables-restore would refuse, and what is said of it.
    struct Refused: CustomTestStringConvertible {
        let text: String
        let why: String
        init(_ text: String, _ why: String) { (self.text, self.why) = (text, why) }
        var testDescription: String { why }
    }

    static let refused = [
        Refused("*nat\n-A OUTPUT -j X\n", "table nat, begun in line 1, has no COMMIT"),
        Refused("# x\n*nat\nCOMMIT\n\n*filter", "table filter, begun in line 5, has no COMMIT"),
        Refused("*nat\nCOMMIT", "line 2 is a COMMIT without a line break at the end of the file"),
        Refused("*nat\r\nCOMMIT\r\n", "line 1 ends with a carriage return"),
        Refused("*nat\nCOMMIT\r\n", "line 2 ends with a carriage return"),
        Refused("*nat\n:OUTPUT ACCEPT [0:0]\n*filter\nCOMMIT\n", "line 3 begins a table before the COMMIT"),
        Refused("COMMIT\n", "line 1 is a COMMIT outside a table"),
        Refused("*nat\nCOMMIT\nCOMMIT\n", "line 3 is a COMMIT outside a table"),
        Refused("\n-A INPUT -j DROP\n", "line 2 is outside a table: '-A INPUT -j DROP'"),
        Refused(":INPUT ACCEPT [0:0]\n", "line 1 is outside a table"),
        Refused("*nat\nCOMMIT\nfoo", "line 3 is outside a table: 'foo'"),
        Refused("*foo\nCOMMIT\n", "line 1 begins a table that the kernel does not have: 'foo'"),
        Refused(" \n", "line 1 has blanks and nothing else"),
        Refused("*nat\n # x\nCOMMIT\n", "line 2 has blanks before its #"),
        Refused("*nat\n-w -A OUTPUT -j ACCEPT\nCOMMIT\n", "line 2 has -w, which has no place in such a file"),
        Refused("*nat\n-A OUTPUT\t-t nat -j ACCEPT\nCOMMIT\n", "line 2 has -t, which has no place in such a file"),
        Refused("#" + String(repeating: "x", count: 10239) + "\n", "line 1 is longer than iptables-restore reads"),
    ]

    @Test("what iptables-restore would refuse is refused with the file and the line", arguments: refused)
    func refusal(_ this: Refused) throws {
        let failure = try #require(throws: Failure.self) { try read(this.text) }
        #expect(failure.kind == .trouble)
        #expect(failure.subject.hasPrefix("cannot put rules into \(Self.path): "))
        #expect(failure.subject.contains(this.why), "\(failure.subject)")
        #expect(failure.advice?.contains("iptables-restore would refuse the whole file") == true)
    }

    /// Files with bytes that are no text, or whose first characters melt with the next ones.
    static let odd: [[UInt8]] = [
        Array("# ".utf8) + [0xff, 0xfe, 0x80] + Array("\n*nat\n-A OUTPUT -m comment --comment \"".utf8) + [0xe9, 0xe8]
            + Array("\" -j X\nCOMMIT\n".utf8),
        [0x23, 0xcc, 0x81, 0x0a] + Array("*nat\nCOMMIT\n# ".utf8) + [0xc3],
        Array("#\u{fe0f}\u{20e3} a heading\n*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n".utf8),
        Array("\n\n\n".utf8), Array("*raw\n-A PREROUTING -j NOTRACK\nCOMMIT\n\n".utf8),
    ]

    @Test("taking ours out gives the file back byte for byte", arguments: odd)
    func stripped(_ bytes: [UInt8]) throws {
        for modes in [[Mode.bridge], [.host], [.awsvpc, .bridge]] {
            for family in AddressFamily.allCases {
                let file = try RulesFile(bytes, path: Self.path)
                let after = file.merged(with: try legacyRules(modes, family))
                #expect(after.ourRuleCount == (try legacyRules(modes, family).count))
                #expect(after.stripped.bytes == bytes)
                #expect(after.merged(with: []).bytes == bytes)
                #expect(try RulesFile(after.bytes, path: Self.path).stripped.bytes == bytes)
            }
        }
    }

    @Test("blanks before a table's name are passed over, as iptables-restore does")
    func blankBeforeTable() throws {
        #expect(try merged("* nat\nCOMMIT\n").hasSuffix("* nat\n\(Self.hostNat)COMMIT\n"))
    }

    @Test("a table of ours that somebody put something into stays, without our mark")
    func sharedTable() throws {
        let shared = try merged("").replacing("*nat\n", with: "*nat\n:theirs - [0:0]\n")
        #expect(String(decoding: try read(shared).stripped.bytes, as: UTF8.self) == "*nat\n:theirs - [0:0]\nCOMMIT\n")
    }
}
