import Laboratory
import Testing

extension Live {
    /// What outlives the boot, on a live host.
    @Suite struct PersistenceTests {
        static func configuration(_ host: Namespace) throws -> String {
            let list = try host.require(["find", "/etc", "-printf", "%p %m %y %l\\n"])
            let sums = try host.require(["sh", "-c", "find /etc -type f -print0 | sort -z | xargs -0 cksum"])
            return list.split(separator: "\n").sorted().joined(separator: "\n") + sums
        }

        @Test("a host without systemd as its first process: auto says what is left to do, and exits 0")
        func notBooted() throws {
            let lab = try Laboratory.Bare()
            for _ in 0..<2 {
                let result = try lab.netsetup(["apply", "--mode", "bridge", "--persist", "auto"])
                #expect(result.status == 0, "\(result.errors)")
                #expect(result.errors.contains("nothing brings the rules back after a reboot"), "\(result.errors)")
                #expect(result.errors.contains("ecs-netsetup.service cannot be enabled"))
                #expect(result.errors.contains("on the booted host: ecs-netsetup apply --persist systemd"))
            }
            try lab.host.restartAgent()
            #expect(try lab.netsetup(["verify"]).status == 0)
            // Without a guard at boot, nothing may raise the parameter at boot.
            #expect(try lab.host.execute(["ls", "/etc/sysctl.d/90-ecs-netsetup.conf"]).status != 0)
            #expect(try lab.host.execute(["ls", "/etc/systemd/system/ecs-netsetup.service"]).status != 0)
        }

        @Test(
            "the same, asked for by name: exit 2, and nothing is changed",
            arguments: ["systemd", "iptables-services", "netfilter-persistent"])
        func notBootedByName(_ mechanism: String) throws {
            let lab = try Laboratory.Bare()
            let before = try Witness.everything(lab) + Self.configuration(lab.host)
            let result = try lab.netsetup([
                "apply", "--mode", "bridge", "--backend", "iptables", "--persist", mechanism,
            ])
            #expect(result.status == 2)
            #expect(result.errors.contains("cannot persist with \(mechanism)"), "\(result.errors)")
            #expect(result.output == "")
            #expect(try Witness.everything(lab) + Self.configuration(lab.host) == before)
        }

        @Test(
            "apply enables and starts the unit, again does nothing, and remove leaves nothing",
            arguments: Backend.allCases)
        func systemd(_ backend: Backend) throws {
            let host = try SystemdHost()
            let before = try host.configuration()
            let apply = ["apply", "--mode", "bridge", "--backend", backend.rawValue]
            let first = try host.lab.netsetup(apply)
            #expect(first.status == 0, "\(first.errors)")
            #expect(
                try host.commands() == [
                    "systemctl daemon-reload", "systemctl enable ecs-netsetup.service",
                    "systemctl start --no-block ecs-netsetup.service",
                ])
            #expect(try host.lab.netsetup(apply).output.hasPrefix("nothing to do"))
            try host.lab.host.restartAgent()
            #expect(try host.lab.netsetup(["verify"]).status == 0)
            #expect(try host.commands() == [])
            let removed = try host.lab.netsetup(["remove"])
            #expect(removed.status == 0, "\(removed.errors)")
            #expect(
                try host.commands() == [
                    "systemctl disable ecs-netsetup.service", "systemctl stop --no-block ecs-netsetup.service",
                    "systemctl daemon-reload",
                ])
            #expect(try host.configuration() == before)
            #expect(try host.lab.host.execute(["ls", "/var/lib/ecs-netsetup"]).status != 0)
        }

        @Test("the unit's own command brings the rules back with the saved settings and writes no file")
        func unitCommand() throws {
            let host = try SystemdHost()
            let options = ["--mode", "bridge", "--bridge-interface", "docker+,br-+", "--imds-action", "reject"]
            try host.lab.requireNetsetup(["apply", "--backend", "nftables"] + options)
            let configuration = try host.configuration()
            let rules = ["nft", "-s", "list", "ruleset"]
            let installed = try host.lab.host.require(rules)
            // As after a reboot: no rule, and systemd-sysctl has read its files.
            try host.lab.host.require(["nft", "flush", "ruleset"])
            try host.lab.host.require(["rm", "-rf", "/var/lib/ecs-netsetup/earlier-values"])
            let unit = try host.lab.host.require(["cat", "/etc/systemd/system/ecs-netsetup.service"])
            let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
            let command = line.dropFirst("ExecStart=".count).split(separator: " ").map(String.init)
            // In the unit's sandbox, /etc is read-only.
            try host.lab.host.require(["mount", "-o", "remount,ro", "/etc"])
            let result = try host.lab.host.execute(command)
            #expect(result.status == 0 && result.output == "" && result.errors == "", "\(result.errors)")
            #expect(try host.lab.host.require(rules) == installed)
            #expect(try host.configuration() == configuration)
            try host.lab.host.require(["mount", "-o", "remount,rw", "/etc"])
            try host.lab.host.restartAgent()
            #expect(try host.lab.netsetup(["verify"]).status == 0)
            // It was our file that set the parameter at boot, so it goes back to the kernel's default.
            try host.lab.requireNetsetup(["remove"])
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        @Test("a service manager that fails: exit 2, and everything is undone")
        func managerFails() throws {
            let host = try SystemdHost()
            let before = try host.configuration() + Witness.everything(host.lab)
            try host.lab.host.require(
                ["install", "-m", "755", "/dev/stdin", "/run/systemctl.sh"],
                input: "#!/bin/sh\n[ \"$1\" != enable ] || { echo 'Failed: no space on the bus' >&2; exit 1; }\n")
            try host.lab.host.require(["umount", "/usr/bin/systemctl"])
            try host.lab.host.require(["mount", "--bind", "/run/systemctl.sh", "/usr/bin/systemctl"])
            let result = try host.lab.netsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            #expect(result.status == 2)
            #expect(
                result.errors.contains("systemctl enable ecs-netsetup.service failed with status 1"), "\(result.errors)"
            )
            #expect(result.errors.contains("no space on the bus"), "\(result.errors)")
            #expect(result.errors.contains("what was done before was undone"), "\(result.errors)")
            #expect(try host.configuration() + Witness.everything(host.lab) == before)
        }

        @Test("a changed ecs.config: a restart is due, or done with --restart-agent")
        func restart() throws {
            let host = try SystemdHost()
            try host.lab.host.require(["mkdir", "-p", "/etc/ecs"])
            try host.lab.host.require(["sh", "-c", "printf 'ECS_CLUSTER=x\\n' > /etc/ecs/ecs.config"])
            try host.lab.host.require(["sh", "-c", "printf '[Service]\\n' > /etc/systemd/system/ecs.service"])
            let due = try host.lab.netsetup(["apply", "--mode", "bridge"])
            #expect(due.output.contains("+ECS_ENABLE_TASK_IAM_ROLE=true"), "\(due.output)")
            #expect(due.errors.contains("a restart is due: systemctl restart --no-block ecs"), "\(due.errors)")
            #expect(try !host.commands().contains { $0.contains("restart") })
            let late = try host.lab.netsetup(["apply", "--mode", "bridge", "--restart-agent"])
            #expect(late.output.hasPrefix("nothing to do"), "\(late.output)")
            #expect(late.errors.contains("the ECS agent is being restarted"), "\(late.errors)")
            #expect(try host.commands() == ["systemctl restart --no-block ecs.service"])
            try host.lab.host.restartAgent()
            let unchanged = try host.lab.netsetup(["apply", "--mode", "bridge", "--restart-agent"])
            #expect(unchanged.status == 0 && !unchanged.errors.contains("restart"), "\(unchanged.errors)")
            #expect(try host.commands() == [], "it has read what there is, so nothing is restarted")
            let done = try host.lab.netsetup(["apply", "--mode", "bridge,host", "--restart-agent"])
            #expect(done.errors.contains("the ECS agent is being restarted"), "\(done.errors)")
            #expect(try host.commands() == ["systemctl restart --no-block ecs.service"])
        }

        @Test("of a container started by hand, a restart is due only while it runs")
        func restartByHand() throws {
            let host = try SystemdHost()
            try host.lab.host.require(["mkdir", "-p", "/etc/ecs"])
            try host.lab.host.require(["sh", "-c", "printf 'ECS_CLUSTER=x\\n' > /etc/ecs/ecs.config"])
            let due = try host.lab.netsetup(["apply", "--mode", "bridge"])
            #expect(due.errors.contains("run it again with --env-file"), "\(due.errors)")
            host.lab.agent?.stop()
            let stopped = try host.lab.netsetup(["apply", "--mode", "bridge,host"])
            #expect(stopped.status == 0 && stopped.output.contains("+ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=true"))
            #expect(!stopped.errors.contains("a restart is due"), "\(stopped.errors)")
        }

        @Test("what somebody writes into a file while apply runs is not lost, by it or by its undoing")
        func concurrentEdits() throws {
            let edit = """
                [ "$1" != enable ] || [ -e /run/edited ] || { echo ECS_LOGLEVEL=debug >> /etc/ecs/ecs.config; touch /run/edited; }
                """
            let host = try SystemdHost(hook: edit)
            try host.lab.host.require(["mkdir", "-p", "/etc/ecs"])
            try host.lab.host.require(["sh", "-c", "echo ECS_CLUSTER=blue > /etc/ecs/ecs.config"])
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            let text = try host.lab.host.require(["cat", "/etc/ecs/ecs.config"])
            #expect(text == "ECS_CLUSTER=blue\nECS_ENABLE_TASK_IAM_ROLE=true\nECS_LOGLEVEL=debug\n")
            let failing = try SystemdHost(
                hook: "[ \"$1\" != enable ] || { echo '# mine' >> /etc/ecs-netsetup.conf; exit 1; }")
            let result = try failing.lab.netsetup(["apply", "--mode", "bridge"])
            #expect(result.status == 2 && result.errors.contains("so it stays"), "\(result.errors)")
            #expect(try failing.lab.host.require(["cat", "/etc/ecs-netsetup.conf"]).hasSuffix("# mine\n"))
        }

        @Test("route_localnet is never left without the guard by a run that changes no file, before or after a reboot")
        func guardStays() throws {
            for reboots in [false, true] {
                let host = try SystemdHost()
                try host.lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
                if reboots { try host.reboot() }
                let narrowed = try host.lab.netsetup(["apply", "--mode", "host", "--persist", "none"])
                #expect(
                    narrowed.status == 0 && narrowed.errors.contains("the localhost guard stays"), "\(narrowed.errors)")
                try host.lab.host.require(["sysctl", "-p", "/etc/sysctl.d/90-ecs-netsetup.conf"])
                #expect(try host.lab.netsetup(["status"]).output.contains("localhost guard"))
                try host.lab.requireNetsetup(["apply", "--mode", "host"])
                #expect(try !host.lab.netsetup(["status"]).output.contains("localhost guard"))
                #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
                try host.lab.requireNetsetup(["remove"])
            }
        }

        /// Why the unit cannot apply the rules at boot.
        enum Obstacle: String, CaseIterable, Sendable {
            case settings = "sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf"
            case lostRecord = "sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf; rm -r /var/lib/ecs-netsetup"
            case earlierValues = "mkdir /var/lib/ecs-netsetup/earlier-values"
            case editedFile =
                "sed -i '1i # ticket 12' /etc/sysctl.d/90-ecs-netsetup.conf; sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf"
            case unmarkedFile =
                "sed -i 1,2d /etc/sysctl.d/90-ecs-netsetup.conf; sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf"
            case takenBackSetting =
                "printf 'NO_LOCALHOST_GUARD=true\\nNO_LOCALHOST_GUARD = false\\njunk\\n' >> /etc/ecs-netsetup.conf"
            case oneRule =
                "sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf; nft 'add table inet ecs-netsetup; add chain inet ecs-netsetup forward { type filter hook forward priority -150; }; add rule inet ecs-netsetup forward ip daddr 169.254.169.254 iifname \"docker*\" counter drop comment \"ecs-netsetup: no IMDS for docker+\"'"
            case acceptingGuard =
                "sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf; nft 'add table inet ecs-netsetup; add chain inet ecs-netsetup early-prerouting { type filter hook prerouting priority mangle; }; add chain inet ecs-netsetup forward { type filter hook forward priority mangle; }; add rule inet ecs-netsetup early-prerouting ip daddr 127.0.0.0/8 iifname != lo counter accept comment \"ecs-netsetup: localhost guard\"'"
            case narrowGuard =
                "sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf; nft 'add table inet ecs-netsetup; add chain inet ecs-netsetup early-prerouting { type filter hook prerouting priority mangle; }; add chain inet ecs-netsetup forward { type filter hook forward priority mangle; }; add rule inet ecs-netsetup early-prerouting ip daddr 127.0.0.0/31 iifname != lo counter drop comment \"ecs-netsetup: localhost guard\"'"
            case guardElsewhere =
                "sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf; nft 'add table inet ecs-netsetup; add chain inet ecs-netsetup early-prerouting { type filter hook prerouting priority mangle; }; add chain inet ecs-netsetup forward { type filter hook forward priority mangle; }; add rule inet ecs-netsetup forward ip daddr 127.0.0.0/8 iifname != lo counter drop comment \"ecs-netsetup: localhost guard\"'"
            case largeFile =
                "head -c 2000000 /dev/zero | tr '\\0' '#' >> /etc/sysctl.d/90-ecs-netsetup.conf; sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf"
            case linkToFile =
                "ln -s 90-ecs-netsetup.conf /etc/sysctl.d/95-link.conf; sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf"
            case senselessValue =
                "echo net.ipv4.conf.all.route_localnet = no > /etc/sysctl.d/10-x.conf; sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf"
            case dormantGuard =
                "sed -i '1i MODE=brigde' /etc/ecs-netsetup.conf; nft 'add table inet ecs-netsetup { flags dormant; }; add chain inet ecs-netsetup early-prerouting { type filter hook prerouting priority mangle; }; add rule inet ecs-netsetup early-prerouting ip daddr 127.0.0.0/8 iifname != lo counter drop comment \"ecs-netsetup: localhost guard\"'"
        }

        private static let unit = ["apply", "--persist", "none", "--force-old-agent", "--quiet"]

        private func reboot(_ host: SystemdHost, _ backend: Backend) throws {
            try host.reboot()
            if backend == .iptables { try host.lab.host.flushLegacyTables() }
        }

        @Test(
            "where the rules cannot be applied at boot, route_localnet is lowered", arguments: Backend.allCases,
            Obstacle.allCases)
        func failsClosed(_ backend: Backend, _ obstacle: Obstacle) throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", backend.rawValue])
            try reboot(host, backend)
            try host.lab.host.require(["sh", "-c", obstacle.rawValue])
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "1")
            let failed = try host.lab.netsetup(Self.unit)
            #expect(failed.status != 0 && failed.errors.contains("route_localnet 0 was set again"), "\(failed.errors)")
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        @Test(
            "files that the rules do not need do not keep the unit from installing them",
            arguments: [
                "echo garbage >> /var/lib/ecs-netsetup/record", "sed -i 's/$/\\r/' /var/lib/ecs-netsetup/record",
                "rm /var/lib/ecs-netsetup/record; mkdir /var/lib/ecs-netsetup/record",
                "truncate -s 3G /etc/sysctl.d/10-x.conf", "ln -s 10-x.conf /etc/sysctl.d/10-x.conf",
                "rm -f /etc/os-release; mkdir /etc/os-release",
            ])
        func needsNoFile(_ obstacle: String) throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            let before = try host.lab.host.require(["nft", "-s", "list", "ruleset"])
            try host.reboot()
            try host.lab.host.require(["sh", "-c", obstacle])
            try host.lab.requireNetsetup(Self.unit)
            #expect(try host.lab.host.require(["nft", "-s", "list", "ruleset"]) == before)
            // The file that raises the parameter at boot is still there.
            try host.lab.requireNetsetup(["apply", "--mode", "host", "--persist", "none"])
            #expect(try host.lab.host.require(["nft", "list", "ruleset"]).contains("localhost guard"))
        }

        @Test("asked for as --root / it fails closed too")
        func rootFailsClosed() throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            try host.reboot()
            try host.lab.host.require(["sed", "-i", "1i MODE=brigde", "/etc/ecs-netsetup.conf"])
            // The name of the first process, by which a booted host's root folder is known.
            try host.lab.host.require(["sh", "-c", "echo systemd > /run/comm; mount --bind /run/comm /proc/1/comm"])
            let failed = try host.lab.netsetup(["apply", "--root", "/"])
            #expect(failed.status == 64 && failed.errors.contains("route_localnet 0 was set again"), "\(failed.errors)")
        }

        @Test("a plan that is not there fails closed too")
        func missingPlan() throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            try host.reboot()
            let failed = try host.lab.netsetup(["apply", "--plan", "/run/none.json"])
            #expect(failed.status == 64 && failed.errors.contains("route_localnet 0 was set again"), "\(failed.errors)")
        }

        @Test("a file that somebody masked is in the way before anything is done")
        func maskedFile() throws {
            let host = try SystemdHost()
            let sysctl = "/etc/sysctl.d/90-ecs-netsetup.conf"
            try host.lab.host.require(["sh", "-c", "mkdir -p /etc/sysctl.d; ln -s /dev/null \(sysctl)"])
            let before = try host.configuration()
            let diff = try host.lab.netsetup(["diff", "--mode", "bridge"])
            #expect(diff.output.contains("\(sysctl) is masked"), "\(diff.output)")
            let refused = try host.lab.netsetup(["apply", "--mode", "bridge"])
            #expect(refused.status == 2 && refused.errors.contains("nothing was changed"), "\(refused.errors)")
            #expect(try host.configuration() == before)
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        @Test("where the disk is full, what was done in the kernel is undone all the same", arguments: Backend.allCases)
        func fullDisk(_ backend: Backend) throws {
            let host = try SystemdHost()
            try host.lab.host.require(["mount", "-t", "tmpfs", "-o", "size=16k", "none", "/var/lib"])
            try host.lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", backend.rawValue])
            try host.lab.host.require(["sh", "-c", "dd if=/dev/zero of=/var/lib/fill bs=4k 2>/dev/null || true"])
            let show = backend == .nftables ? "nft -s list ruleset" : "iptables-legacy-save; ip6tables-legacy-save"
            let rules = { Live.PersistenceTests.rules(try host.lab.host.require(["sh", "-c", show])) }
            let before = try rules()
            let failed = try host.lab.netsetup(["apply", "--allow-imds", "--no-localhost-guard"])
            #expect(failed.status == 2 && failed.errors.contains("was undone"), "\(failed.errors)")
            #expect(try rules() == before)
        }

        /// Rules without what counts packets or tells the time.
        private static func rules(_ text: String) -> [Substring] {
            text.split(separator: "\n").filter { !$0.hasPrefix("#") && !$0.hasPrefix(":") }
        }

        @Test(
            "a failing apply changes nothing where the guard is live or not wanted, or the line is mistyped",
            arguments: Backend.allCases)
        func failsAsItWas(_ backend: Backend) throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", backend.rawValue])
            try host.lab.host.require(["sh", "-c", Obstacle.settings.rawValue])
            func expectUnchanged(_ arguments: [String]) throws {
                let failed = try host.lab.netsetup(arguments)
                #expect(failed.status == 64 && !failed.errors.contains("note:"), "\(failed.errors)")
                #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "1")
            }
            try expectUnchanged(Self.unit)
            try reboot(host, backend)
            try expectUnchanged(["apply", "--mode", "brigde"])
            try host.lab.host.require(["sh", "-c", "echo NO_LOCALHOST_GUARD=true >> /etc/ecs-netsetup.conf"])
            try expectUnchanged(Self.unit)
            try host.lab.host.require(["sed", "-i", "1d;$d", "/etc/ecs-netsetup.conf"])
            try host.lab.requireNetsetup(Self.unit)
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "1")
            #expect(try host.lab.netsetup(["status"]).output.contains("localhost guard"))
        }

        @Test("a parameter that was 1 before us is 1 after remove in the same boot, with our file or without")
        func earlierOne() throws {
            let host = try SystemdHost()
            try host.lab.host.writeSysctl("ipv4/conf/all/route_localnet", "1")
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            try host.lab.requireNetsetup(["remove"])
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "1")
            #expect(try host.lab.host.execute(["ls", "/var/lib/ecs-netsetup"]).status != 0)
        }

        @Test(
            "one that was 1 before us, and that somebody lowered since, stays 0",
            arguments: [["remove"], ["apply", "--mode", "host"]])
        func loweredSince(_ command: [String]) throws {
            let host = try SystemdHost()
            try host.lab.host.writeSysctl("ipv4/conf/all/route_localnet", "1")
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            try host.lab.host.writeSysctl("ipv4/conf/all/route_localnet", "0")
            try host.lab.requireNetsetup(command)
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        @Test("an apply that failed leaves no value to go back to")
        func nothingRemembered() throws {
            let host = try SystemdHost(hook: "[ \"$1\" != enable ] || exit 1")
            try host.lab.host.writeSysctl("ipv4/conf/all/route_localnet", "1")
            #expect(try host.lab.netsetup(["apply", "--mode", "bridge"]).status == 2)
            #expect(try host.lab.host.execute(["ls", "/var/lib/ecs-netsetup"]).status != 0)
        }

        @Test("a manager that does not read its units again: everything is undone all the same")
        func reloadFails() throws {
            let host = try SystemdHost(hook: "[ \"$1\" != daemon-reload ] || exit 1")
            let before = try host.configuration() + Witness.everything(host.lab)
            let result = try host.lab.netsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            #expect(result.status == 2 && result.errors.contains("what was done before was undone"), "\(result.errors)")
            #expect(try host.configuration() + Witness.everything(host.lab) == before)
        }

        @Test(
            "the guard stays as long as a file that raises the parameter does",
            arguments: [
                "umount /usr/bin/systemctl; rm -r /run/systemd",
                "sed -i '1i # mine' /etc/sysctl.d/90-ecs-netsetup.conf; rm /var/lib/ecs-netsetup/record",
            ])
        func guardStaysWithFile(_ script: String) throws {
            let host = try SystemdHost()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge", "--backend", "nftables"])
            try host.lab.host.require(["sh", "-c", script])
            let narrowed = try host.lab.netsetup(["apply", "--mode", "host"])
            #expect(narrowed.status == 0 && narrowed.errors.contains("the localhost guard stays"), "\(narrowed.errors)")
            try host.lab.host.require(["sysctl", "-p", "/etc/sysctl.d/90-ecs-netsetup.conf"])
            #expect(try host.lab.netsetup(["status"]).output.contains("localhost guard"))
        }

        @Test("a unit that somebody deleted leaves no link after remove")
        func deletedUnit() throws {
            let host = try SystemdHost()
            let before = try host.configuration()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            try host.lab.host.require(["rm", "/etc/systemd/system/ecs-netsetup.service"])
            try host.lab.requireNetsetup(["remove"])
            #expect(try host.configuration() == before)
        }

        @Test("a failing start does not disable what was enabled before")
        func failingRepair() throws {
            let host = try SystemdHost(hook: "[ \"$1\" != start ] || [ ! -e /run/broken ] || exit 1")
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            try host.lab.host.require(["rm", "/etc/systemd/system/ecs.service.wants/ecs-netsetup.service"])
            try host.lab.host.require(["touch", "/run/broken"])
            #expect(try host.lab.netsetup(["apply"]).status == 2)
            let link = "/etc/systemd/system/multi-user.target.wants/ecs-netsetup.service"
            #expect(try host.lab.host.execute(["test", "-L", link]).status == 0)
        }

        @Test("where systemd does not run any more, apply keeps what was set up, and remove takes it away")
        func notBootedAnyMore() throws {
            let host = try SystemdHost()
            let before = try host.configuration()
            try host.lab.requireNetsetup(["apply", "--mode", "bridge"])
            let after = try host.configuration()
            try host.lab.host.require(["umount", "/usr/bin/systemctl"])
            try host.lab.host.require(["rm", "-r", "/run/systemd"])
            let again = try host.lab.netsetup(["apply"])
            #expect(again.status == 0 && again.output.hasPrefix("nothing to do"), "\(again.output)\(again.errors)")
            #expect(try host.configuration() == after)
            let removed = try host.lab.netsetup(["remove"])
            #expect(removed.status == 0, "\(removed.errors)")
            #expect(try host.configuration() == before)
            #expect(try host.lab.host.readSysctl("ipv4/conf/all/route_localnet") == "0")
        }

        @Test("a masked unit stays masked: auto says so, by name it is refused, and remove is not kept from its work")
        func masked() throws {
            let host = try SystemdHost()
            try host.lab.host.require(["ln", "-s", "/dev/null", "/etc/systemd/system/ecs-netsetup.service"])
            let before = try host.configuration()
            let named = try host.lab.netsetup(["apply", "--mode", "bridge", "--persist", "systemd"])
            #expect(named.status == 2 && named.errors.contains("is masked"), "\(named.errors)")
            let auto = try host.lab.netsetup(["apply", "--mode", "bridge"])
            #expect(auto.status == 0 && auto.errors.contains("systemctl unmask"), "\(auto.errors)")
            #expect(try host.lab.netsetup(["remove"]).status == 0)
            #expect(try host.configuration() == before)
        }

        @Test("awsvpc mode on a host with IPv6 disabled: a warning, as the agent's block would break its tasks")
        func withoutIPv6() throws {
            let host = try SystemdHost()
            let apply = ["apply", "--mode", "awsvpc"]
            let warning = "aws/amazon-vpc-cni-plugins#106"
            #expect(try !host.lab.netsetup(apply).errors.contains(warning))
            try host.lab.host.writeSysctl("ipv6/conf/all/disable_ipv6", "1")
            let warned = try host.lab.netsetup(apply)
            #expect(warned.status == 0 && warned.errors.contains(warning), "\(warned.errors)")
            let without = try host.lab.netsetup(apply + ["--allow-imds"])
            #expect(without.status == 0 && !without.errors.contains(warning), "\(without.errors)")
            #expect(without.output.contains("-ECS_AWSVPC_BLOCK_IMDS=true"), "\(without.output)")
        }

        @Test("a later sysctl file that sets the parameter back is found and named")
        func conflictingSysctl() throws {
            let host = try SystemdHost()
            try host.lab.host.require([
                "sh", "-c", "printf '# hardening\\nnet/ipv4/conf/all/route_localnet=0\\n' > /etc/sysctl.d/95-cis.conf",
            ])
            let result = try host.lab.netsetup(["apply", "--mode", "bridge"])
            #expect(result.status == 0)
            #expect(result.errors.contains("/etc/sysctl.d/95-cis.conf:2 sets"), "\(result.errors)")
            #expect(try host.lab.netsetup(["verify"]).status == 1)
            try host.lab.host.require(["rm", "/etc/sysctl.d/95-cis.conf"])
            try host.lab.host.restartAgent()
            #expect(try host.lab.netsetup(["verify"]).status == 0)
        }

        @Test("settings are saved, read by every command, and overridden by options")
        func settings() throws {
            let lab = try Laboratory.Bare()
            try lab.requireNetsetup(["apply", "--mode", "bridge", "--allow-imds", "--backend", "nftables"])
            try lab.host.restartAgent()
            #expect(try lab.netsetup(["verify"]).status == 0)
            #expect(try lab.netsetup(["diff"]).status == 0)
            let overridden = try lab.netsetup(["diff", "--allow-imds=false"])
            #expect(overridden.status == 1)
            #expect(overridden.output.contains("169.254.169.254"))
            try lab.host.require(["sh", "-c", "echo 'MODUS=bridge' >> /etc/ecs-netsetup.conf"])
            for command in ["apply", "diff", "verify"] {
                let refused = try lab.netsetup([command])
                #expect(refused.status == 64)
                #expect(refused.errors.contains("/etc/ecs-netsetup.conf:"), "\(refused.errors)")
            }
            #expect(try lab.netsetup(["status"]).status == 0)
            #expect(try lab.netsetup(["remove"]).status == 0)
        }
    }
}
