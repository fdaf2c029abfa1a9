package import Model

/// The answer of the Docker engine to `GET /networks` (Docker Engine API, "List networks").
package enum DockerNetworks {
    /// Where the engine listens, and what is asked for.
    package static let sockets = ["/var/run/docker.sock", "/run/docker.sock"]
    package static let path = "/networks"

    /// The option of a network that names its bridge. Docker's manual, "Bridge network driver".
    private static let bridgeOption = "com.docker.network.bridge.name"
    /// The longest name that is kept, in characters.
    private static let longestName = 64

    /// The networks that lead out of the host; nil where the answer makes no sense.
    package static func parse(_ answer: [UInt8]) -> [DockerNetwork]? {
        var networks: [DockerNetwork] = []
        var parser = JSONParser(answer)
        do throws(JSONParser.Fault) {
            try parser.array { parser throws(JSONParser.Fault) in
                if let network = try network(&parser) { networks.append(network) }
            }
            try parser.end()
        } catch { return nil }
        return networks
    }

    private static func network(_ parser: inout JSONParser) throws(JSONParser.Fault) -> DockerNetwork? {
        var (name, identifier, driver, bridge) = (nil as String?, nil as String?, nil as String?, nil as String?)
        try parser.object { parser, member throws(JSONParser.Fault) in
            switch member {
            case "Name": name = try parser.value().string
            case "Id": identifier = try parser.value().string
            case "Driver": driver = try parser.value().string
            case "Options": bridge = try parser.value()[bridgeOption]?.string
            default: try parser.skip()
            }
        }
        guard let driver, let name, let identifier else { return nil }
        let printable = String(printable: name.utf8, most: longestName)
        switch driver {
        case "bridge":
            // Without the option, Docker names it after the network's identifier.
            let bridge = bridge ?? "br-\(identifier.prefix(BridgeChecks.identifierDigits))"
            return DockerNetwork(name: printable, .bridge(bridge))
        // The host's own network, none at all, and one that also has a bridge of Docker's.
        case "host", "null", "overlay": return nil
        default:
            return DockerNetwork(
                name: printable, .driver(String(printable: driver.utf8, most: longestName)))
        }
    }
}
