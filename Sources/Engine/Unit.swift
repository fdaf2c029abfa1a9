package import Model
import Planning

extension Engine {
    /// The unit that `apply` uses on the host, with the path that the program has there, for a package to bring.
    package func unit() throws(Failure) -> String {
        SystemdUnit.unmarked(program: try PersistenceFactsReader(host: host).program().path)
    }
}
