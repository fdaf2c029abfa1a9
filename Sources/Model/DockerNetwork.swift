/// A Docker network that leads out of the host.
package struct DockerNetwork: Hashable, Sendable {
    /// What connects its containers with the outside.
    package enum Link: Hashable, Sendable {
        /// A bridge on the host, by its interface: `br-0123456789ab`.
        case bridge(String)
        /// What this driver makes, such as `macvlan`, which sends past the host's rules.
        case driver(String)
    }

    /// What Docker calls it: `shop`.
    package let name: String
    package let link: Link

    package init(name: String, _ link: Link) {
        self.name = name
        self.link = link
    }
}
