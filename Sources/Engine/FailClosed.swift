import Host
import Model
import Planning

/// What is done for a host that a run leaves without its rules.
extension Engine {
    /// Gives `route_localnet` its earlier value back where this program raised it and none of its rules are live, as after a
    /// boot at which they could not be applied: the file in `sysctl.d` has raised it, and no guard is there.
    ///
    /// - Returns: what was done, for a person; nil where there was nothing to do, or another instance is at work.
    package func closeLocalhost() -> String? {
        if host.isImage { return nil }
        do throws(Failure) {
            if try host.sysctl(Endpoint.routeLocalnet) == "0" { return nil }
            let lock = try HostLock.take(on: host, until: Deadline(seconds: 0))
            return try lock.whileHeld { () throws(Failure) in try closeLocalhostLocked() }
        } catch {
            return nil
        }
    }

    private func closeLocalhostLocked() throws(Failure) -> String? {
        let observed = try observe(for: .look, readsDisk: false, until: Deadline(seconds: 0))
        guard observed.rules.isEmpty, let earlier = observed.valueToReturnTo, earlier != observed.routeLocalnet else {
            return nil
        }
        let change = "\(Endpoint.routeLocalnet) \(earlier)"
        do throws(Failure) {
            try SysctlWriter(Endpoint.routeLocalnet, on: host).write(earlier)
        } catch {
            return
                "none of its rules are live, and \(change) could not be set: neighbours may reach 127.0.0.1 (\(error))"
        }
        return "none of its rules are live, so that \(change) was set again, and neighbours do not reach 127.0.0.1"
    }
}
