/// Lines of rules files, and what iptables-restore makes of them: held against our reading by the unit tests, and against the
/// program itself by the live ones.
package enum RestoreLines {
    /// A file that is refused.
    package struct Refused: CustomStringConvertible, Sendable {
        package let file: [UInt8]
        /// The line that is refused, from 1.
        package let line: Int
        /// What is said of it.
        package let why: String
        private let text: String

        /// - Parameters:
        ///   - text: lines of table filter, of which the last is refused, or a whole file.
        ///   - line: another line than the last.
        init(_ text: String, at line: Int? = nil, _ why: String) {
            self.text = text
            file = RestoreLines.file(text)
            self.line = line ?? 1 + text.utf8.count { $0 == 0x0a } + (text.hasPrefix("*") ? 0 : 1)
            self.why = why
        }

        package var description: String { String(text.debugDescription.prefix(100)) }
    }

    /// A file that is taken.
    package struct Taken: CustomStringConvertible, Sendable {
        package let file: [UInt8]
        private let text: String

        /// - Parameter text: lines of table filter, or a whole file.
        package init(_ text: String) {
            self.text = text
            file = RestoreLines.file(text)
        }

        package var description: String { String(text.debugDescription.prefix(100)) }
    }

    private static func file(_ text: String) -> [UInt8] {
        Array((text.hasPrefix("*") ? text : "*filter\n\(text)\nCOMMIT\n").utf8)
    }

    private static func name(_ length: Int) -> String { String(repeating: "c", count: length) }

    package static let refused = words + chains + commands + options + jumps

    /// Blanks, quotation marks and counters.
    private static let words = [
        Refused("-A INPUT -m comment --comment 'a b' -j ACCEPT", "has 'b'', which belongs to no option"),
        Refused("-A INPUT -m comment --comment a\\ b -j ACCEPT", "has 'b', which belongs to no option"),
        Refused("-A INPUT -j LOG --log-prefix 'a b: '", "has 'b:', which belongs to no option"),
        Refused("-A INPUT -j \"ACCEPT", "has a target that no chain can be named: 'ACCEPT\n'"),
        Refused("-A INPUT -j ACCEPT \"", "has '\n', which belongs to no option"),
        Refused("-A INPUT \"\"", "has '', which belongs to no option"),
        Refused("-A INPUT -j \"A B\"", "has a target that no chain can be named: 'A B'"),
        Refused("INPUT -j ACCEPT", "has 'INPUT', which belongs to no option"),
        Refused("foo", "has 'foo', which belongs to no option"),
        Refused("-A INPUT foo", "has 'foo', which belongs to no option"),
        Refused("-A INPUT -j ACCEPT foo", "has 'foo', which belongs to no option"),
        Refused("-A INPUT -p tcp --dport 80 81", "has '81', which belongs to no option"),
        Refused("-A INPUT -p tcp -m tcp --tcp-flags SYN,ACK SYN RST", "has 'RST', which belongs to no option"),
        Refused("-A INPUT -", "has '-', which belongs to no option"),
        Refused("-A INPUT -- x", "has 'x', which belongs to no option"),
        Refused("-- -A INPUT", "has '-A', which belongs to no option"),
        Refused(" :X - [0:0]", "has ':X', which belongs to no option"),
        Refused("*filter\n*nat", "begins a table before the COMMIT of the one above"),
        Refused("*filter\nCOMMIT \nCOMMIT\n", at: 2, "has 'COMMIT', which belongs to no option"),
        Refused(" ", "has blanks and nothing else"),
        Refused(" # x", "has blanks before its #"),
        Refused("-A INPUT\r", "ends with a carriage return"),
        Refused(":INPUT ACCEPT\r", "ends with a carriage return"),
        Refused("[1:2 -A INPUT", "has packet counts without a ]"),
        Refused("[12] -A INPUT", "has packet counts without a :"),
        Refused("[:2] -A INPUT", "has packet counts without a :"),
        Refused("[1:2]", "has no command, such as -A"),
        Refused(" [1:2] -A INPUT", "has '[1:2]', which belongs to no option"),
        Refused("[1:2] :INPUT ACCEPT", "has ':INPUT', which belongs to no option"),
        Refused("[1:2] [3:4] -A INPUT", "has '[3:4]', which belongs to no option"),
        Refused("-A INPUT -s \(name(1024))", "has a word of more than 1023 bytes"),
        Refused("-A INPUT\(String(repeating: " -v", count: 250))", "has more than 251 words"),
        Refused("\0", "has no command, such as -A"),
        Refused("-A INPUT\(String(repeating: " ", count: 10_232))", "is longer than iptables-restore reads"),
    ]

    /// Tables, chains and their policies.
    private static let chains = [
        Refused("*foo\nCOMMIT\n", at: 1, "begins a table that the kernel does not have: 'foo'"),
        Refused("*FILTER\nCOMMIT\n", at: 1, "begins a table that the kernel does not have: 'FILTER'"),
        Refused("*\nCOMMIT\n", at: 1, "begins a table without a name"),
        Refused(":INPUT", "declares chain 'INPUT' without a policy, or - for none"),
        Refused(":X", "declares chain 'X' without a policy, or - for none"),
        Refused(":", "declares a chain without a name"),
        Refused(":INPUT FOO [0:0]", "has the policy 'FOO', which is neither ACCEPT nor DROP"),
        Refused(":INPUT accept [0:0]", "has the policy 'accept', which is neither ACCEPT nor DROP"),
        Refused(":INPUT RETURN [0:0]", "has the policy 'RETURN', which is neither ACCEPT nor DROP"),
        Refused(":X ACCEPT [0:0]", "gives chain 'X' a policy, but it is not built in"),
        Refused(":PREROUTING ACCEPT [0:0]", "gives chain 'PREROUTING' a policy, but it is not built in"),
        Refused("*nat\n:FORWARD ACCEPT [0:0]", "gives chain 'FORWARD' a policy, but it is not built in"),
        Refused("*raw\n:INPUT ACCEPT [0:0]", "gives chain 'INPUT' a policy, but it is not built in"),
        Refused(":\(name(29)) - [0:0]", "declares a chain whose name is too long: '\(name(29))'"),
        Refused(":U -\n:U -", "makes chain 'U', which is there already"),
        Refused(":ACCEPT - [0:0]", "makes a chain with the name of a verdict, 'ACCEPT'"),
        Refused("-N ACCEPT", "makes a chain with the name of a verdict, 'ACCEPT'"),
        Refused("-N INPUT", "makes chain 'INPUT', which is there already"),
        Refused("-N -x", "makes a chain with a name that cannot be: '-x'"),
        Refused("-N !x", "makes a chain with a name that cannot be: '!x'"),
        Refused("-N \"a b\"", "makes a chain with a name that cannot be: 'a b'"),
        Refused("-N \(name(29))", "is for a chain whose name is too long: '\(name(29))'"),
        Refused("-A X -j ACCEPT", "is for chain 'X', which is neither built into table filter nor declared above"),
        Refused(
            "-A U -j ACCEPT\n:U - [0:0]", at: 2,
            "is for chain 'U', which is neither built into table filter nor declared above"),
        Refused("-F X", "is for chain 'X', which is neither built into table filter nor declared above"),
        Refused("-L X", "is for chain 'X', which is neither built into table filter nor declared above"),
        Refused("-N U\n-X U\n-A U", "is for chain 'U', which is neither built into table filter nor declared above"),
        Refused("-N U\n-E U V\n-A U", "is for chain 'U', which is neither built into table filter nor declared above"),
        Refused(
            ":\u{e9} -\n-A e\u{301}",
            "is for chain 'e\u{301}', which is neither built into table filter nor declared above"),
        Refused("-N U\n-E U \(name(32))", "gives a chain a name that is too long: '\(name(32))'"),
        Refused("-P U DROP", "is for chain 'U', which is neither built into table filter nor declared above"),
        Refused(":U -\n-P U DROP", "gives chain 'U' a policy, but it is not built in"),
        Refused("-P INPUT FOO", "has the policy 'FOO', which is neither ACCEPT nor DROP"),
        Refused("*nat\n-P PREROUTING DROP", "drops in table nat, which iptables does not do"),
        Refused("*nat\n-A PREROUTING -j DROP", "drops in table nat, which iptables does not do"),
        Refused("-X INPUT", "deletes a built-in chain"),
        Refused("-E INPUT Y", "renames a built-in chain"),
        Refused(":U -\n-E U INPUT", "makes chain 'INPUT', which is there already"),
        Refused("-N U\n-A U\n-X U", "deletes chain 'U', which has rules"),
        Refused("-N U\n-A U\n-X", "deletes chain 'U', which has rules"),
        Refused("-N U\n-A INPUT -j U\n-X U", "deletes chain 'U', to which a rule jumps"),
    ]

    /// Commands and numbers.
    private static let commands = [
        Refused("-j ACCEPT", "has no command, such as -A"),
        Refused("-A INPUT -A OUTPUT", "has two commands, -A and -A"),
        Refused("-A INPUT -I OUTPUT", "has two commands, -A and -I"),
        Refused("-Z -Z", "has two commands, -Z and -Z"),
        Refused("-A", "has -A without what must follow it"),
        Refused("-P INPUT", "has -P without a policy"),
        Refused("-P INPUT -", "has -P without a policy"),
        Refused(":U -\n-E U", "has -E without a new name"),
        Refused("-R INPUT -j ACCEPT", "has -R without the number of a rule"),
        Refused("-D INPUT foo", "has 'foo' where the number of a rule belongs"),
        Refused("-D INPUT 0", "has '0' where the number of a rule belongs"),
        Refused("-I INPUT 1x", "has '1x' where the number of a rule belongs"),
        Refused("-I INPUT 08", "has '08' where the number of a rule belongs"),
        Refused("-I INPUT 2147483648", "has '2147483648' where the number of a rule belongs"),
        Refused("-D INPUT 1", "is for rule 1 of chain 'INPUT', which has 0 by then"),
        Refused("-A INPUT\n-D INPUT 2", "is for rule 2 of chain 'INPUT', which has 1 by then"),
        Refused("-A INPUT\n-R INPUT 2 -j DROP", "is for rule 2 of chain 'INPUT', which has 1 by then"),
        Refused("-A INPUT\n-Z INPUT 2", "is for rule 2 of chain 'INPUT', which has 1 by then"),
        Refused("-A INPUT\n-I INPUT 3", "is for rule 2 of chain 'INPUT', which has 1 by then"),
        Refused("-A INPUT\n-F\n-I INPUT 2", "is for rule 1 of chain 'INPUT', which has 0 by then"),
        Refused("-D INPUT -j ACCEPT", "is for a rule of chain 'INPUT', which has none by then"),
        Refused("-D INPUT 1 -j ACCEPT", "has -j, which does not go with -D"),
        Refused("-F -j ACCEPT", "has -j, which does not go with -F"),
        Refused("-F INPUT foo", "has 'foo', which belongs to no option"),
        Refused("-P INPUT DROP -j ACCEPT", "has -j, which does not go with -P"),
        Refused("-N X Y", "has 'Y', which belongs to no option"),
        Refused("--in INPUT", "has the unknown option --in, as nothing before it loads an extension"),
        Refused("--numeric=3 -L", "has --numeric=3, but that option takes no value"),
    ]

    /// Options that are no extension's.
    private static let options = [
        Refused("-A INPUT -q", "has the unknown option -q"),
        Refused("-A INPUT --dport 80", "has the unknown option --dport, as nothing before it loads an extension"),
        Refused(
            "-A INPUT --dport 80 -p tcp", "has the unknown option --dport, as nothing before it loads an extension"),
        Refused("-A INPUT -j ACCEPT --x", "has the unknown option --x, as nothing before it loads an extension"),
        Refused("-A INPUT -j ACCEPT -j DROP", "has two targets"),
        Refused("-A INPUT -j ACCEPT -g ACCEPT", "has two targets"),
        Refused("-A INPUT -j", "has -j without what must follow it"),
        Refused("-A INPUT -m", "has -m without what must follow it"),
        Refused("-A INPUT -m \"\"", "has a match whose name is too long or empty: ''"),
        Refused("-A INPUT -i lo -i lo", "has -i twice"),
        Refused("-A INPUT -p tcp -p udp", "has -p twice"),
        Refused("-A INPUT -i \"\"", "has -i with no interface"),
        Refused("-A INPUT -i \(name(16))", "has an interface whose name is too long: '\(name(16))'"),
        Refused("-A INPUT -o lo", "has -o, which chain INPUT does not know"),
        Refused("*nat\n-A POSTROUTING -i lo", "has -i, which chain POSTROUTING does not know"),
        Refused("-A INPUT !", "ends with a !"),
        Refused("-A INPUT ! ! -i lo", "has two ! in a row"),
        Refused("! -A INPUT", "has a ! before -A"),
        Refused("-A INPUT ! -j ACCEPT", "has a ! before -j"),
        Refused("-A INPUT ! -m tcp", "has a ! before -m"),
        Refused("-A INPUT ! -v", "has a ! before -v"),
        Refused("-A INPUT ! -s 1.1.1.1,2.2.2.2", "has a ! before several addresses"),
        Refused("-A INPUT -s ,", "has -s with an empty address"),
        Refused("-A INPUT -n", "has -n, which does not go with -A"),
        Refused("-A INPUT --line-numbers", "has --line-numbers, which does not go with -A"),
        Refused("-S INPUT -n", "has -n, which does not go with -S"),
        Refused("-D INPUT -c 1 2", "has -c, which does not go with -D"),
        Refused("-A INPUT -c 1", "has -c with one number instead of two"),
        Refused("-A INPUT -c a b", "has -c with 'a', which is no number"),
        Refused("-A INPUT -t filter", "has -t, which has no place in such a file"),
        Refused("--table filter -A INPUT", "has --table, which has no place in such a file"),
        Refused("-A INPUT -w", "has -w, which has no place in such a file"),
        Refused("-A INPUT -W 5", "has -W, which has no place in such a file"),
    ]

    /// Where rules lead to.
    private static let jumps = [
        Refused("-A INPUT -j f2b-sshd", "jumps to 'f2b-sshd', which is no chain declared above"),
        Refused(
            "-A FORWARD -j DOCKER-USER\n:DOCKER-USER -", at: 2,
            "jumps to 'DOCKER-USER', which is no chain declared above"),
        Refused("-A INPUT -g FOO", "goes to 'FOO', which is no chain declared above"),
        Refused("-A INPUT -g ACCEPT", "goes to 'ACCEPT', which is no chain declared above"),
        Refused("-A INPUT -j OUTPUT", "jumps to the built-in chain 'OUTPUT'"),
        Refused("-A INPUT -j \"\"", "has a target that no chain can be named: ''"),
        Refused("-A INPUT -j \(name(29))", "has a target that no chain can be named: '\(name(29))'"),
        Refused(":A -\n:B -\n-A INPUT -j A\n-A A -j B\n-A B -j A", "closes a circle of jumps"),
        Refused(":U -\n-A INPUT -g U\n-A U -p tcp -j U", "closes a circle of jumps"),
    ]

    /// What ends the program with success, and with nothing restored.
    package static let ending = ["-h", "-V", "-A INPUT --version", "--help", "-A INPUT --he", "-A INPUT -vV"]

    package static let taken = [
        "-A INPUT -m comment --comment 'ab' -j ACCEPT", "-A INPUT -m comment --comment a\\b -j ACCEPT",
        "-A INPUT -m comment --comment \"abc", "-A INPUT -j ACCEPT -m comment --comment \"a b",
        "-A INPUT \"-j\" ACCEPT", "-A INPUT -m comment --comment \"a\"-j ACCEPT",
        "-A INPUT -m comment --comment x\"a b\" -j ACCEPT", "-A INPUT -m comment --comment \"\" -j ACCEPT",
        "-A INPUT -m comment --comment \"a\\\"b\" -j ACCEPT", "-A INPUT -m comment --comment -j -j ACCEPT",
        "-A INPUT -m comment --comment \"-A\" -m comment --comment \"-A\" -j ACCEPT",
        "-A INPUT -m comment --comment ! -j ACCEPT", "-A INPUT -m comment --comment -w -j ACCEPT",
        "-A INPUT -m comment --comment -t -j ACCEPT", "-A INPUT -m comment --comment \"it's 5 o'clock\" -j ACCEPT",
        "-A INPUT -m string --string \"-j\" --algo bm -j DROP", "-A INPUT -m comment --comment x\r",
        ":INPUT ACCEPT", ":INPUT DROP [0:0", ":INPUT - [0:0]", ": INPUT ACCEPT [0:0]", ":INPUT ACCEPT [0:0] extra",
        ":INPUT ACCEPT [0:0]\n:INPUT DROP [0:0]", ":INPUT ACCEPT [0:0]\r", ":X -", ":\(name(28)) - [0:0]",
        ":LOG - [0:0]", ":-x - [0:0]", ":I\"N - [0:0]",
        "[1:2] -A INPUT", "[1:2]-A INPUT", "[1:] -A INPUT", "[a:b] -A INPUT", "\t-A INPUT", "# x\r", "# \0 x",
        "-A INPUT -j ACCEPT\0 foo", "-A INPUT\(String(repeating: " -v", count: 249))",
        "-A INPUT\(String(repeating: " ", count: 10_231))", "-A INPUT -m comment --comment \(name(255))",
        "*filter extra\nCOMMIT\n", "* filter\nCOMMIT\n", "*security\nCOMMIT\n", "*nat\n:INPUT ACCEPT\nCOMMIT\n",
        "*nat\n:PREROUTING DROP [0:0]\nCOMMIT\n", "*raw\n-A PREROUTING -j NOTRACK\nCOMMIT\n", "*nat\nCOMMIT\n# x",
        "-AINPUT", "-vA INPUT", "-AINPUT -ilo", "--append INPUT", "--append=INPUT", "--app INPUT", "--new X",
        "--policy INPUT DROP", "-A INPUT --ju ACCEPT", "-A INPUT --", "-A INPUT -c 1 2", "-A INPUT -c 1,2",
        "-A INPUT -p ALL", "-A FORWARD -i lo -o lo", "-A INPUT -i \(name(15))", "-A INPUT -p tcp --dport 80",
        "-A INPUT -p tcp --dport=80", "-A INPUT -p tcp --dpor 80", "-A INPUT -p tcp ! --syn -j ACCEPT",
        "-A INPUT -p tcp -m tcp --tcp-flags SYN,ACK SYN -j ACCEPT", "-A INPUT -p tcp --tcp-flags=SYN,ACK SYN",
        "-A INPUT -m physdev --physdev-is-in ! -i lo", "-A INPUT -m policy --dir in --pol ipsec -j ACCEPT",
        "-A INPUT -m conntrack --ctstate NEW --j ACCEPT", "-A INPUT -m recent --set --name x",
        "-A INPUT -j LOG --log-prefix \"a b: \" --log-level 4", "-A INPUT -p tcp -m multiport --dports 1,2:3",
        "-I INPUT 1", "-I INPUT 0x1", "-I INPUT 01", "-I INPUT +1", "-I INPUT \" 1\"", "-A INPUT\n-A INPUT\n-I INPUT 3",
        "-A INPUT\n-R INPUT 1 -j ACCEPT", "-A INPUT\n-Z INPUT 1", "-A INPUT\n-L INPUT 7", "-A INPUT\n-D INPUT",
        "-F", "-Z", "-X", "-L -Z", "-Z -S", "-L INPUT -n -v -x --line-numbers", "-Z INPUT", "-P INPUT DROP -c 1 2",
        "-N U\n-A INPUT -j U", "-N U\n-A U\n-F U\n-X U", "-N U\n-A INPUT -j U\n-D INPUT 1\n-X U", ":U -\n-E U V\n-A V",
        ":U -\n-X U", ":U -\n-A INPUT -g U", ":U -\n-A U -j U", ":A -\n:B -\n-A A -j B\n-A B -j A",
        "-A INPUT -j RETURN", "-A INPUT -j QUEUE", "-A INPUT -4", "-6 -A INPUT",
    ].map(Taken.init)
}
