/// A Docker network that has a bridge on the host.
package struct DockerNetwork: Hashable, Sendable {
    /// What Docker calls it: `shop`.
    package let name: String
    /// The bridge's interface: `br-0123456789ab`.
    package let bridge: String

    package init(name: String, bridge: String) {
        self.name = name
        self.bridge = bridge
    }
}
