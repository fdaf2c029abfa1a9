import Glibc
import Laboratory
import TestSupport
import Testing

extension Live {
    /// Streams, limits, variables, signals and file systems as nobody should have them.
    @Suite struct HostileEnvironmentTests {
        private static let apply = ["apply", "--mode", "bridge", "--backend"]

        /// The localhost guard is there wherever `route_localnet` is 1.
        private func expectGuarded(_ lab: Laboratory.Bare, _ comment: Comment) throws {
            guard try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "1" else { return }
            let rules = try lab.host.require(["nft", "list", "ruleset"])
            // Reading a legacy table makes it.
            let isThere = try lab.host.require(["cat", "/proc/thread-self/net/ip_tables_names"]).contains("mangle")
            let legacy = isThere ? try lab.host.require(["iptables-legacy-save", "-t", "mangle"]) : ""
            #expect((rules + legacy).contains(Self.guardComment), comment)
        }

        private static let guardComment = "ecs-netsetup: localhost guard"

        /// It ends by itself, with a status of its own, and says why where it fails. The next run needs no help.
        @discardableResult
        private func expectManners(
            _ lab: Laboratory.Bare, _ words: [String], environment: [String] = [], _ backend: Backend,
            statuses: Set<CInt> = [0, 2], _ comment: Comment
        ) throws -> ProgramResult {
            let result = try lab.host.execute(["timeout", "-s", "KILL", "20"] + words, environment: environment)
            #expect(statuses.contains(result.status), "\(comment): \(result.status) \(result.errors)")
            #expect(!result.errors.contains("Fatal error"), "\(comment): \(result.errors)")
            try expectGuarded(lab, comment)
            if result.status != 0 { try lab.requireNetsetup(Self.apply + [backend.rawValue]) }
            try lab.host.restartAgent()
            let verified = try lab.netsetup(["verify"])
            #expect(verified.status == 0, "\(comment): \(verified.output)\(verified.errors)")
            try lab.requireNetsetup(["remove"])
            return result
        }

        @Test("streams closed at start: no file gets their numbers, and the status tells", arguments: Backend.allCases)
        func closedStreams(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            for closed in 1..<8 {
                let streams = (0..<3).filter { closed >> $0 & 1 == 1 }
                let closing = streams.map { "\($0)>&-" }.joined(separator: " ")
                let words = [
                    "strace", "-f", "-o", "/run/trace", "-e", "trace=openat,socket,pipe2", "sh", "-c",
                    "exec \"$@\" \(closing)", "sh", Tool.path,
                ]
                let result = try expectManners(lab, words + Self.apply + [backend.rawValue], backend, "\(closing)")
                // The answer could not be written.
                #expect(result.status == (streams.contains(1) ? 2 : 0), "\(closing): \(result.errors)")
                if !streams.contains(2), streams.contains(1) {
                    #expect(result.errors.contains("apply itself succeeded"), "\(result.errors)")
                }
                let calls = try lab.host.require(["cat", "/run/trace"]).split(separator: "\n").filter {
                    !$0.contains(Sanitizer.file)
                }
                let isWritable = { (call: Substring) in
                    ["O_WRONLY", "O_RDWR", "socket("].contains { call.contains($0) }
                }
                let taken = calls.filter { call in
                    isWritable(call) && streams.contains { call.hasSuffix("= \($0)") }
                }
                #expect(taken.isEmpty, "\(closing): \(taken)")
                #expect(calls.contains(where: isWritable), "strace saw nothing")
            }
            TriedCases.note("standard streams closed at start, \(backend.rawValue)", 7)
        }

        /// What prlimit(1) takes.
        static let limits =
            [128, 256, 1024].map { "--stack=\($0 << 10)" } + (4...16).map { "--nofile=\($0)" }
            + ["--nproc=1", "--memlock=0", "--cpu=1"] + (Sanitizer.isOn ? [] : limitsOnMemory)
            + (Sanitizer.current == .thread ? [] : limitsOnFiles)

        private static let limitsOnMemory = [24, 32, 64].map { "--as=\($0 << 20)" } + ["--data=4000000"]
        private static let limitsOnFiles = [0, 1, 10, 100, 1000].map { "--fsize=\($0)" }

        /// What is not tried, and why.
        private static func tellWhatIsLeftOut() {
            if Sanitizer.isOn { print("not tried: \(limitsOnMemory): \(Sanitizer.needsMemory)") }
            if Sanitizer.current == .thread { print("not tried: \(limitsOnFiles): the sanitizer writes a file") }
        }

        @Test("limits: a clear error or success", arguments: Backend.allCases)
        func limits(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            var succeeded = 0
            for limit in Self.limits {
                let result = try expectManners(
                    lab, ["prlimit", limit, Tool.path] + Self.apply + [backend.rawValue], backend, "\(limit)")
                if result.status == 0 {
                    succeeded += 1
                } else {
                    #expect(result.errors.contains("ecs-netsetup: cannot "), "\(limit): \(result.errors)")
                }
            }
            TriedCases.note(
                "limits on stack, memory, open files, file sizes and more, \(backend.rawValue)", Self.limits.count)
            print("\(succeeded) of them done")
            Self.tellWhatIsLeftOut()
        }

        @Test(
            "limits too low for the loader or the runtime: whatever ends it, the host is safe",
            .disabled(if: Sanitizer.isOn, "\(Sanitizer.needsMemory)"))
        func lowestLimits() throws {
            let lab = try Laboratory.Bare()
            let limits =
                [4, 16, 32, 64].map { "--stack=\($0 << 10)" } + [1, 4, 6, 8, 9, 10].map { "--as=\($0 << 20)" }
            for limit in limits {
                try expectManners(
                    lab, ["prlimit", limit, Tool.path] + Self.apply + ["iptables"], .iptables,
                    // env's and timeout's own failures, the loader's 127, and SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGKILL.
                    statuses: [0, 2, 126, 127, 132, 133, 134, 137, 139], "\(limit)")
            }
            TriedCases.note("limits too low for the loader or the runtime", limits.count)
        }

        @Test(
            "captured rules from a pipe where there is no memory for them: status 2, no crash",
            .disabled(if: Sanitizer.isOn, "\(Sanitizer.needsMemory)"))
        func noMemoryForInput() throws {
            let lab = try Laboratory.Bare()
            let result = try lab.host.execute(
                ["prlimit", "--as=\(64 << 20)", Tool.path, "verify", "--mode", "bridge", "--ruleset", "-"],
                input: "*nat\nCOMMIT\n")
            #expect(result.status == 2, "\(result.errors)")
            #expect(
                result.errors.contains("cannot read standard input: mmap: cannot allocate memory"), "\(result.errors)"
            )
        }

        @Test("an odd XTABLES_LOCKFILE: a clear error or success, and never a wait without end")
        func lockFiles() throws {
            let lab = try Laboratory.Bare()
            try lab.host.require([
                "sh", "-c",
                "mkdir /run/d; mkfifo /run/p; touch /run/there; ln -s /run/there /run/m; ln -s /run/new /run/l; ln -s /run/circle /run/circle",
            ])
            let files: [(String, CInt)] = [
                ("/run/d", 2), ("/run/p", 0), ("/dev/null", 0), ("/run/m", 0), ("/run/l", 2), ("/run/circle", 2),
                ("/run/none/x", 2),
                (String(repeating: "a", count: 5000), 2), ("", 0),
            ]
            for (file, status) in files {
                let result = try expectManners(
                    lab, [Tool.path] + Self.apply + ["iptables"], environment: ["XTABLES_LOCKFILE=\(file)"], .iptables,
                    "\(file)")
                #expect(result.status == status, "\(file.prefix(20)): \(result.errors)")
                if status == 2 { #expect(result.errors.contains("cannot open the xtables lock: \(file)")) }
            }
            #expect(
                try lab.host.execute(["test", "-e", "/run/new"]).status == 1, "no file is made at the end of a link")
            // A name that is no UTF-8 is the same file for the stock tools.
            try lab.host.require(
                ["sh", "-c", "XTABLES_LOCKFILE=/run/$(printf '\\377') exec \"$@\"", "sh", Tool.path] + Self.apply + [
                    "iptables"
                ])
            #expect(try lab.host.execute(["sh", "-c", "test -e /run/$(printf '\\377')"]).status == 0)
            TriedCases.note("an odd `XTABLES_LOCKFILE`", files.count + 1)
        }

        @Test("odd variables change nothing", arguments: Backend.allCases)
        func variables(_ backend: Backend) throws {
            let lab = try Laboratory.Bare()
            let variables = [
                "PATH=/nowhere", "PATH=", "TMPDIR=/nowhere", "HOME=", "LC_ALL=xx_YY.bad", "LANG=\u{1}", "TZ=/dev/zero",
                "LD_PRELOAD=/nowhere.so", "LD_LIBRARY_PATH=/nowhere", "LD_AUDIT=/nowhere.so", "LD_BIND_NOW=1",
                "LD_DEBUG_OUTPUT=/nowhere", "GLIBC_TUNABLES=x", "MALLOC_PERTURB_=165", "TERM=\u{1b}[2J",
                "COLUMNS=0", "IFS=/", "NO_COLOR=", "SYSTEMD_OFFLINE=maybe", "XTABLES_LIBDIR=/nowhere",
                "IPTABLES_BACKEND=x",
            ]
            let words = [Tool.path] + Self.apply + [backend.rawValue]
            let plain = try expectManners(lab, words, backend, "plain")
            let programs = variables.map { ["env", $0] } + [["env", "-i"], ["env", "-u", "HOME", "-u", "PATH"]]
            for program in programs {
                let result = try expectManners(lab, program + words, backend, statuses: [0], "\(program)")
                #expect(result.output == plain.output, "\(program)")
            }
            TriedCases.note("odd variables, among them `LD_*`, \(backend.rawValue)", programs.count)
        }

        @Test("an output that nobody reads or that is full: status 2, and apply did what it should")
        func unreadOutput() throws {
            let lab = try Laboratory.Bare()
            for (redirection, reason) in [("| true", "broken pipe"), ("> /dev/full", "no space left on device")] {
                for format in ["text", "json"] {
                    let script = "{ sleep 0.1; \"$@\"; echo status $? >&2; } \(redirection)"
                    let result = try lab.host.execute(
                        ["sh", "-c", script, "sh", Tool.path] + Self.apply + ["nftables", "--format", format])
                    #expect(result.errors.contains("status 2"), "\(redirection): \(result.errors)")
                    #expect(result.errors.contains(reason), "\(redirection): \(result.errors)")
                    #expect(result.errors.contains("apply itself succeeded"), "\(redirection): \(result.errors)")
                    try lab.requireNetsetup(["remove"])
                }
            }
            TriedCases.note("an output that nobody reads or that is full", 4)
        }

        @Test("names that are no UTF-8 are refused and nothing is written under another name")
        func namesWithoutEncoding() throws {
            let lab = try Laboratory.Bare()
            let script =
                "cd /run && mkdir o && cd o && \"$0\" diff --mode bridge --out \"$(printf 'x\\377')\"; echo status $?; ls"
            let result = try lab.host.execute(["sh", "-c", script, Tool.path])
            #expect(result.output == "status 64\n", "\(result.output)")
            #expect(result.errors.contains("the command line is no UTF-8"))
            try lab.host.require([
                "sh", "-c", "mkdir -p /etc/ecs && ln -sf \"/run/o/$(printf 'y\\377')\" /etc/ecs/ecs.config",
            ])
            let linked = try lab.netsetup(["apply", "--mode", "bridge"])
            #expect(linked.status == 2 && linked.errors.contains("/etc/ecs/ecs.config"), "\(linked.errors)")
            #expect(try lab.host.require(["ls", "/run/o"]) == "")
            #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
            TriedCases.note("names that are no UTF-8", 2)
        }

        /// Signals that end a program, at times that a seed gives.
        @Test("ended at any time: never route_localnet without the guard, files whole, the next apply is whole")
        func signals() throws {
            let lab = try Laboratory.Bare()
            var random = SplitMix64(state: 6)
            let paths = ["/etc/ecs-netsetup.conf", "/etc/ecs/ecs.config", "/etc/sysctl.d/90-ecs-netsetup.conf"]
            let read = { try paths.map { try lab.host.execute(["cat", $0]).output } }
            let before = try read()
            let after = try Backend.allCases.map { backend in
                try lab.requireNetsetup(Self.apply + [backend.rawValue])
                defer { _ = try? lab.netsetup(["remove"]) }
                return try read()
            }
            #expect(try !after.contains(before) && read() == before)
            var ended = 0
            let runs = Sanitizer.fewer(200)
            for run in 0..<runs {
                let backend = Backend.allCases[run % 2]
                let signal = [SIGTERM, SIGINT, SIGHUP][run % 3]
                let program = try lab.host.start([Tool.path] + Self.apply + [backend.rawValue])
                usleep(UInt32(random.next() % 30_000))
                kill(program.identifier, signal)
                let status = program.wait()
                #expect([0, 128 + signal].contains(status), "run \(run): \(status)")
                if status != 0 { ended += 1 }
                let comment: Comment = "run \(run), signal \(signal)"
                try expectGuarded(lab, comment)
                for (text, whole) in zip(try read(), zip(before, after[run % 2])) {
                    #expect(text == whole.0 || text == whole.1, comment)
                }
                try lab.requireNetsetup(Self.apply + [backend.rawValue])
                // Its parent is there, and the configuration as old as the agent.
                try lab.host.restartAgent()
                let verified = try lab.netsetup(["verify"])
                #expect(verified.status == 0, "\(comment): \(verified.output)")
                try lab.requireNetsetup(["remove"])
            }
            #expect(try read() == before)
            #expect(ended > runs / 10, "too few were ended before they were done")
            TriedCases.note("SIGTERM, SIGINT and SIGHUP at random times", runs)
            print("\(ended) of them ended by the signal")
        }

        /// A folder that is written, and what is mounted on it.
        @Test("full, inode-less and read-only file systems: a clear error, undone", arguments: Backend.allCases)
        func fileSystems(_ backend: Backend) throws {
            var (tried, refused) = (0, 0)
            let folders = ["/etc/ecs", "/etc/sysctl.d", "/var/lib/ecs-netsetup", "/etc", "/var/lib", "/run"]
            for folder in folders {
                for kind in ["full", "no inodes", "read-only"] {
                    let lab = try Laboratory.Bare()
                    try Self.mount(kind, on: folder, lab)
                    let tables =
                        "for t in nat mangle filter; do iptables-legacy -t $t -S; ip6tables-legacy -t $t -S; done"
                    try lab.host.require(["sh", "-c", "XTABLES_LOCKFILE=/dev/null; export XTABLES_LOCKFILE; \(tables)"])
                    let before = try Witness.everything(lab)
                    let result = try lab.netsetup(Self.apply + [backend.rawValue])
                    tried += 1
                    let comment: Comment = "\(folder), \(kind)"
                    #expect([0, 2].contains(result.status), "\(comment): \(result.status) \(result.errors)")
                    try expectGuarded(lab, comment)
                    guard result.status == 2 else { continue }
                    refused += 1
                    let reasons = ["no space left on device", "read-only file system"]
                    #expect(reasons.contains(where: result.errors.contains), "\(comment): \(result.errors)")
                    #expect(result.errors.contains(folder), "\(comment): \(result.errors)")
                    // What was there before, byte for byte: the tables of legacy iptables were made beforehand.
                    #expect(try Witness.everything(lab) == before, "\(comment): \(result.errors)")
                    try lab.host.require(["umount", folder])
                    try lab.requireNetsetup(Self.apply + [backend.rawValue])
                }
            }
            #expect(refused >= folders.count, "the file systems keep nothing from being written")
            TriedCases.note("full, inode-less and read-only file systems on each folder, \(backend.rawValue)", tried)
            print("\(refused) of them refused")
        }

        private static func mount(_ kind: String, on folder: String, _ lab: Laboratory.Bare) throws {
            let script =
                switch kind {
                case "full":
                    "mount -t tmpfs -o size=4k none \(folder) && head -c 4096 /dev/zero > \(folder)/filler"
                case "no inodes": "mount -t tmpfs -o nr_inodes=1 none \(folder)"
                default: "mount --bind \(folder) \(folder) && mount -o remount,bind,ro \(folder)"
                }
            try lab.host.require(["sh", "-c", "mkdir -p \(folder) && \(script)"])
        }

        @Test("links, pipes and folders in place of what only this program writes: refused or replaced, never followed")
        func plantedRecords() throws {
            let lab = try Laboratory.Bare()
            let files = [
                "/var/lib/ecs-netsetup/record", "/var/lib/ecs-netsetup/earlier-values", "/run/ecs-netsetup.lock",
            ]
            let traps = ["ln -s /run/out/shadow", "ln -s /run/out/new", "ln /run/out/shadow", "mkfifo", "mkdir"]
            let outside = "cd /run/out && ls && cat shadow"
            try lab.host.require(["sh", "-c", "mkdir /run/out && echo secret > /run/out/shadow"])
            var (tried, refused) = (0, 0)
            for file in files {
                for trap in traps where !(trap.hasPrefix("ln /") && file.hasPrefix("/var")) {
                    let folder = String(file.prefix(upTo: file.lastIndex(of: "/") ?? file.endIndex))
                    try lab.host.require(["sh", "-c", "mkdir -p \(folder) && rm -rf \(file) && \(trap) \(file)"])
                    let result = try lab.netsetup(Self.apply + ["nftables"])
                    let removed = try lab.netsetup(["remove"])
                    let comment: Comment = "\(trap) \(file)"
                    tried += 1
                    #expect([0, 2].contains(result.status), "\(comment): \(result.status) \(result.errors)")
                    #expect([0, 2].contains(removed.status), "\(comment): \(removed.status) \(removed.errors)")
                    if result.status == 2 {
                        refused += 1
                        #expect(result.errors.contains(file), "\(comment): \(result.errors)")
                    }
                    #expect(try lab.host.require(["sh", "-c", outside]) == "shadow\nsecret\n", comment)
                    #expect(try lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0", comment)
                    try lab.host.require(["rm", "-rf", file])
                    try lab.requireNetsetup(Self.apply + ["nftables"])
                    try lab.requireNetsetup(["remove"])
                }
            }
            TriedCases.note("links, pipes and folders in place of the program's own records and lock", tried)
            print("\(refused) of them refused")
        }
    }
}
