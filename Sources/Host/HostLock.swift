import Glibc
package import Model

/// What keeps two instances of this program from changing a host at the same time.
package enum HostLock {
    /// Takes the lock, trying until the deadline. On an image the folder itself is locked, so that no file is left in it.
    package static func take(on host: Host, until deadline: Deadline) throws(Failure) -> FileLock {
        let path = host.isImage ? host.root : host.path("/run/ecs-netsetup.lock")
        if !host.isImage { try host.files.makeFolder("/run", mode: 0o755) }
        let file =
            host.isImage
            ? SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            : SystemCall.open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode: 0o600)
        if file < 0 { throw .system("cannot open the lock", source: path, errno: errno) }
        return try FileLock.take(
            file, name: "the lock", holder: "another ecs-netsetup is at work", path: path, until: deadline)
    }
}
