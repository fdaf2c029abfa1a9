import Host
import Model
import Planning

/// What is done for a host that a run leaves without the localhost guard.
extension Engine {
    /// Gives `route_localnet` the value that it has without this program, where this program raised it and its guard is not
    /// live, as after a boot at which the rules could not be applied: the file in `sysctl.d` has raised it by then.
    ///
    /// It asks for as little as it can, as what made the run fail may make this fail too: what cannot be told counts as
    /// dangerous.
    ///
    /// - Parameter wantsGuard: whether the run was asked for the guard; nil where it does not know, and the settings file
    ///   tells.
    /// - Returns: what was done, for a person; nil where there was nothing to do.
    package func closeLocalhost(wantsGuard: Bool?) -> String? {
        guard !host.isImage, (try? host.sysctl(Endpoint.routeLocalnet)) != "0", wantsGuard ?? !settingsForgoGuard,
            let value = valueWithoutUs
        else { return nil }
        do throws(Failure) {
            let lock = try HostLock.take(on: host, until: Deadline(seconds: 0))
            return try lock.whileHeld { () throws(Failure) in setLocalhost(value) }
        } catch {
            return isGuardLive == false
                ? "the localhost guard is not live, and nothing is done about it: \(error)" : nil
        }
    }

    private func setLocalhost(_ value: String) -> String? {
        let isGuardLive = isGuardLive
        if isGuardLive == true { return nil }
        let reason =
            isGuardLive == false
            ? "the localhost guard is not live" : "it cannot be told whether the localhost guard is live"
        let change = "\(Endpoint.routeLocalnet) \(value)"
        do throws(Failure) {
            if value == (try host.sysctl(Endpoint.routeLocalnet)) { return nil }
            try SysctlWriter(Endpoint.routeLocalnet, on: host).write(value)
        } catch {
            return "\(reason), and \(change) could not be set: neighbours may reach 127.0.0.1 (\(error))"
        }
        return "\(reason), so that \(change) was set again, and neighbours do not reach 127.0.0.1"
    }

    /// Whether the localhost guard keeps neighbours out now; nil where it cannot be told.
    var isGuardLive: Bool? {
        var isKnown = true
        for backend in [nftables, iptables] {
            do throws(Failure) {
                let installed = try retrying(until: Deadline(seconds: 1)) { () throws(Failure) in
                    try backend.read(.look)
                }
                guard installed.rules.contains(where: { $0.rule == LocalhostGuard.rule }) else { continue }
                if installed.defects.isEmpty { return true }
                // A dormant table, or a chain that hangs elsewhere: it may be the guard that has no effect.
                isKnown = false
            } catch let error where error.isTransient {
                // Somebody changes rules all the time: no boot, and no reason to take tasks their credentials.
                return true
            } catch {
                isKnown = false
            }
        }
        return isKnown ? false : nil
    }

    /// What the parameter is without this program; nil where it was not this program that raised it, in this boot or by its
    /// file.
    private var valueWithoutUs: String? {
        if let earlier = try? host.earlierValue(of: Endpoint.routeLocalnet) { return earlier == "0" ? earlier : nil }
        return (try? PersistenceFactsReader(host: host).read(isWhole: false))?.routeLocalnetWithoutUs
    }

    /// Whether the settings file leaves the guard out, whatever else is wrong with it.
    private var settingsForgoGuard: Bool { (try? host.files.read(HostPath.settings))?.forgoesGuard ?? false }
}

extension FileContents {
    /// Whether a settings file leaves the guard out.
    var forgoesGuard: Bool {
        AssignmentFile(bytes).assignments.last { $0.key == "NO_LOCALHOST_GUARD" }?.value == "true"
    }
}
