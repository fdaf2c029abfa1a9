/// How Docker's own rules are known.
package enum DockerChains {
    /// Whether a chain is one that the Docker engine makes: `DOCKER…` in the stock tables, or any in the tables of
    /// its nftables firewall backend (moby, `daemon/libnetwork/drivers/bridge/internal/nftabler`).
    package static func isDocker(table: String, chain: String) -> Bool {
        chain.hasPrefix("DOCKER") || table == "docker-bridges"
    }
}
